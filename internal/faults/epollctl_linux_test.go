package faults

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// In these tests the epoll set refuses changes, as at the user's limit of watches or
// without memory.

// noted makes a watcher that writes down the events of its calls.
func noted(l *ev.Loop, fd int, events ev.Events) (w *ev.IO, got *[]ev.Events) {
	got = new([]ev.Events)
	return ev.NewIO(l, fd, events, func(_ *ev.IO, e ev.Events) { *got = append(*got, e) }), got
}

var lost = []ev.Events{ev.Error | ev.Read | ev.Write}

func TestADescriptorThatTheSetRefusesStopsItsWatchersWithAnError(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLoop(t)
	r, w := pipe(t)
	other, wOther := pipe(t)
	served, got := reader(t, l, other)
	require.NoError(t, served.Start())
	refuse(t, unix.ENOSPC, unix.SYS_EPOLL_CTL, argument{2, uint32(r)})
	one, oneGot := noted(l, r, ev.Read)
	two, twoGot := noted(l, r, ev.Read)
	require.NoError(t, one.Start())
	require.NoError(t, two.Start())
	write(t, w, "x")
	until(t, l, func() bool { return len(*oneGot)+len(*twoGot) == 2 })
	write(t, wOther, "still here")
	until(t, l, func() bool { return *got == "still here" })
	assert.Equal(t, lost, *oneGot)
	assert.Equal(t, lost, *twoGot)
	assert.False(t, one.Active() || two.Active())
	served.Stop()
	lives(t, l)
}

// The set would still report the events of before. The loop makes a new set, and then
// parks again.
func TestAChangeOfInterestThatIsRefusedStopsTheWatcherWithAnError(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLoop(t)
	r, w := pipe(t)
	io, got := noted(l, r, ev.Read)
	require.NoError(t, io.Start())
	require.NoError(t, l.RunNoWait())
	refuse(t, unix.ENOMEM, unix.SYS_EPOLL_CTL,
		argument{1, unix.EPOLL_CTL_MOD}, argument{2, uint32(r)})
	require.NoError(t, io.SetEvents(ev.Read|ev.Write))
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, lost, *got)
	assert.False(t, io.Active())
	write(t, w, "unread")
	parks(t, l)
	assert.Equal(t, lost, *got, "it was the last callback")

	require.NoError(t, io.Start())
	until(t, l, func() bool { return len(*got) == 2 })
	assert.Equal(t, ev.Read, (*got)[1], "a new Start is a new beginning")
	io.Stop()
	lives(t, l)
}

func TestADescriptorThatTheSetDoesNotLetGoOfIsNotCalledBack(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLoop(t)
	r, w := pipe(t)
	other, wOther := pipe(t)
	served, got := reader(t, l, other)
	require.NoError(t, served.Start())
	io, calls := noted(l, r, ev.Read)
	require.NoError(t, io.Start())
	require.NoError(t, l.RunNoWait())
	refuse(t, unix.ENOMEM, unix.SYS_EPOLL_CTL, argument{1, unix.EPOLL_CTL_DEL})
	io.Stop()
	write(t, w, "unread")
	parks(t, l)
	assert.Empty(t, *calls)
	write(t, wOther, "still here")
	until(t, l, func() bool { return *got == "still here" })
	served.Stop()
	lives(t, l)
}

// Then the loop must go on with the old set, which wakes it for nothing until there are
// descriptors again.
func TestAStaleSetThatCannotBeMadeAnewCostsIterationsOnly(t *testing.T) {
	if !alone(t) {
		return
	}
	l := newLoop(t)
	r, w := pipe(t)
	other, wOther := pipe(t)
	served, got := reader(t, l, other)
	require.NoError(t, served.Start())
	copied, err := unix.Dup(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(copied) })
	io, calls := noted(l, r, ev.Read)
	require.NoError(t, io.Start())
	require.NoError(t, l.RunNoWait())
	require.NoError(t, unix.Close(r)) // too early, and the file lives on
	io.Stop()
	write(t, w, "unread")

	give := withoutDescriptors(t)
	write(t, wOther, "still here")
	until(t, l, func() bool { return *got == "still here" })
	lives(t, l)
	for range 10 {
		require.NoError(t, l.RunOnce(context.Background()), "nothing is to be done, and it does not park")
	}
	assert.Empty(t, *calls)
	give()
	require.NoError(t, unix.Dup2(copied, r)) // closed at the end of the test
	parks(t, l)
	assert.Empty(t, *calls)
	served.Stop()
}

// withoutDescriptors uses up all descriptors until give is called.
func withoutDescriptors(t *testing.T) (give func()) {
	t.Helper()
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = uint64(nextFD(t))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	return func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) }
}
