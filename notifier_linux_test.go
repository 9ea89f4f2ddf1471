package ev

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func loopWithNotifier(t *testing.T, fn func(*Async)) (*Loop, *Async, *os.File) {
	t.Helper()
	l, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	a := NewAsync(l, fn)
	f, err := a.Notifier()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return l, a, f
}

// eventfds returns the number of eventfds of the process.
func eventfds(t *testing.T) (n int) {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); to == "anon_inode:[eventfd]" {
			n++
		}
	}
	return n
}

func TestTheNotifierOfAnAsyncThatWasDroppedIsClosed(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	defer func() { assert.NoError(t, l.Close()) }()
	before := eventfds(t)
	const many = 100
	for range many {
		a := NewAsync(l, func(*Async) {})
		a.Start()
		f, err := a.Notifier()
		require.NoError(t, err)
		a.Stop()
		require.NoError(t, f.Close())
	}
	held := func() int { // by the loop
		l.resources.mu.Lock()
		defer l.resources.mu.Unlock()
		return len(l.resources.held)
	}
	for end := time.Now().Add(20 * time.Second); held()+eventfds(t) > before && time.Now().Before(end); {
		runtime.GC()
	}
	assert.Zero(t, held())
	assert.LessOrEqual(t, eventfds(t), before)
	assert.NoError(t, l.RunNoWait())
}

func TestAnActiveAsyncThatWasDroppedKeepsItsNotifier(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	defer func() { assert.NoError(t, l.Close()) }()
	calls := 0
	f := func() *os.File {
		a := NewAsync(l, func(*Async) { calls++ })
		a.Start()
		f, err := a.Notifier()
		require.NoError(t, err)
		return f
	}()
	defer f.Close()
	for range 5 {
		runtime.GC()
	}
	_, err = f.Write(one)
	require.NoError(t, err)
	assert.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, calls)
}

func TestAWriterOfAFullEventfdWaitsForTheLoopOnly(t *testing.T) {
	if emulator := os.Getenv("EV_TEST_EMULATOR"); emulator != "" { // platform_test.go
		t.Skip(emulator, ": on big-endian processors an eventfd is not full at its largest value")
	}
	calls := 0
	l, a, f := loopWithNotifier(t, func(*Async) { calls++ })
	a.Start()
	_, err := f.Write(binary.NativeEndian.AppendUint64(nil, math.MaxUint64-1))
	require.NoError(t, err)
	_, err = unix.Write(a.notifier.fd, one)
	assert.Equal(t, unix.EAGAIN, err)
	written := make(chan error, 1)
	go func() {
		_, err := f.Write(one) // package os waits for room
		written <- err
	}()
	assert.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, calls)
	assert.NoError(t, <-written)
	assert.NoError(t, l.RunNoWait())
	assert.GreaterOrEqual(t, calls, 1)
	_, err = f.Write(one)
	assert.NoError(t, err)
	assert.NoError(t, l.RunNoWait())
	assert.Greater(t, calls, 1)
}

func TestAnyEightBytesAreASend(t *testing.T) {
	calls := 0
	l, a, f := loopWithNotifier(t, func(*Async) { calls++ })
	a.Start()
	for i := range 20 { // together they are more than a counter holds
		_, err := fmt.Fprint(f, "12345678")
		require.NoError(t, err)
		require.NoError(t, l.RunNoWait())
		assert.Equal(t, i+1, calls)
	}
}

func TestNotifierReportsThatThereAreNoMoreDescriptors(t *testing.T) {
	l, a, f := loopWithNotifier(t, func(*Async) {})
	other := NewAsync(l, func(*Async) {})
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}))
	_, dupErr := a.Notifier()
	_, eventfdErr := other.Notifier()
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	assert.ErrorIs(t, dupErr, unix.EMFILE)
	assert.ErrorContains(t, dupErr, "ev: Async.Notifier: fcntl: ")
	assert.ErrorIs(t, eventfdErr, unix.EMFILE)
	assert.ErrorContains(t, eventfdErr, "ev: Async.Notifier: eventfd: ")

	again, err := other.Notifier()
	require.NoError(t, err)
	require.NoError(t, again.Close())
	a.Start()
	_, err = f.Write(one)
	require.NoError(t, err)
	assert.NoError(t, l.RunNoWait())
}

// A program that closes descriptors that it does not own may close the loop's.
func TestANotifierThatCannotBeWatchedIsAnError(t *testing.T) {
	for _, when := range []string{"found by Start", "found by the poll"} {
		var got []Events
		l, a, _ := loopWithNotifier(t, func(a *Async) { got = append(got, a.Events()) })
		if when == "found by the poll" {
			a.Start()
		}
		require.NoError(t, unix.Close(a.notifier.fd))
		a.Start()
		assert.NoError(t, l.RunNoWait())
		assert.NoError(t, l.RunNoWait())
		assert.Equal(t, []Events{AsyncEvent | Error}, got, when)
		assert.NoError(t, l.Verify())
		require.NoError(t, unix.Dup3(0, a.notifier.fd, unix.O_CLOEXEC)) // for Close to close
		a.Send()
		assert.NoError(t, l.RunNoWait())
		assert.Equal(t, AsyncEvent, got[1], "Send goes on")
		a.Stop()
		assert.NoError(t, l.Verify())
	}
}
