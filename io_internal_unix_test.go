//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev

import (
	"context"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func nativeLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New()
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, l.Verify())
		assert.NoError(t, l.Close())
	})
	return l
}

func pipeFiles(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func TestSetEventsTakesBackOnlyWhatIsNotAskedForAnyMore(t *testing.T) {
	for _, c := range []struct{ fed, events, got Events }{
		{Read | Write, Read, Read},
		{Read | Write, Write, Write},
		{Read | Write, Read | Write, Read | Write},
		{Read, Write, None},
		{Read | Custom, Write, Custom},
		{Write | Error, None, Error},
	} {
		l := nativeLoop(t)
		r, _ := pipeFiles(t)
		got := None
		w := NewConnIO(l, r, Read|Write, func(_ *IO, e Events) { got |= e })
		require.NoError(t, w.Start())
		w.Feed(c.fed)
		require.NoError(t, w.SetEvents(c.events))
		assert.Equal(t, c.got != None, w.Pending())
		l.Invoke()
		assert.Equal(t, c.got, got, "%v", c)
	}
}

// Nothing reads the eventfd and the timerfd. They stay readable after their first
// event.
func TestAWakeDoesNotMakeALoopWithDescriptorsSpin(t *testing.T) {
	l := nativeLoop(t)
	r, _ := pipeFiles(t)
	w := NewConnIO(l, r, Read, func(*IO, Events) {})
	require.NoError(t, w.Start())
	NewTimer(l, time.Millisecond, 0, func(*Timer) {
		l.poller.wakeByFD()
		NewTimer(l, 30*time.Millisecond, 0, func(*Timer) { l.Stop() }).Start()
	}).Start()
	require.NoError(t, l.Run(context.Background()))
	assert.Less(t, l.Iteration(), uint64(10))
	w.Stop()
}

// reconnecting is a connection that gets another descriptor now and then.
type reconnecting struct{ syscall.RawConn }

func (c *reconnecting) SyscallConn() (syscall.RawConn, error) { return c, nil }

// The loop must watch the file that had the number at Start, or no file.
func TestAConnectionThatGetsAnotherDescriptorIsNotWatchedByTheOldOne(t *testing.T) {
	l := nativeLoop(t)
	old, peer := pipeFiles(t)
	other, _ := pipeFiles(t)
	conn := new(reconnecting)
	var err error
	conn.RawConn, err = old.SyscallConn()
	require.NoError(t, err)
	var got []Events
	w := NewConnIO(l, conn, Read, func(_ *IO, e Events) { got = append(got, e) })
	require.NoError(t, w.Start())
	conn.RawConn, err = other.SyscallConn()
	require.NoError(t, err)
	_, err = peer.WriteString("for the old one")
	require.NoError(t, err)
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, []Events{Error | Read | Write}, got)
	assert.False(t, w.Active())
}

// A loop that finds a descriptor closed has a callback to make. It must not park first.
func TestALoopDoesNotParkWithADescriptorThatItCouldNotWatch(t *testing.T) {
	l := nativeLoop(t)
	NewAsync(l, func(*Async) {}).Start() // or Run would end by itself
	r, _ := pipeFiles(t)
	got := None
	w := NewIO(l, int(r.Fd()), Read, func(_ *IO, e Events) { got = e; l.Stop() })
	require.NoError(t, w.Start())
	require.NoError(t, r.Close())
	late := NewTimer(l, 20*time.Second, 0, func(*Timer) { l.Stop() })
	late.Start()
	require.NoError(t, l.Run(context.Background()))
	assert.Equal(t, Error|Read|Write, got)
	assert.True(t, late.Active(), "it has parked")
	assert.Zero(t, l.Stats().Parks)
}

// Another connection may have the number by then. That connection's watcher must get
// its events.
func TestAClosedConnectionsWatcherLeavesTheNextOneWithItsNumberAlone(t *testing.T) {
	l := nativeLoop(t)
	first, peer := pipeFiles(t)
	second, writer := pipeFiles(t)
	conn := new(reconnecting)
	var err error
	conn.RawConn, err = first.SyscallConn()
	require.NoError(t, err)
	var old, next []Events
	w := NewConnIO(l, conn, Read, func(_ *IO, e Events) { old = append(old, e) })
	require.NoError(t, w.Start())
	conn.RawConn, err = second.SyscallConn() // as if it had been closed and its number were free
	require.NoError(t, err)
	v := NewConnIO(l, first, Read, func(_ *IO, e Events) { next = append(next, e) })
	require.NoError(t, v.Start())
	_, err = peer.WriteString("for the next")
	require.NoError(t, err)
	_, err = writer.WriteString("for nobody")
	require.NoError(t, err)
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, []Events{Error | Read | Write}, old)
	assert.Equal(t, []Events{Read}, next)
	assert.False(t, w.Active())
	assert.True(t, v.Active())
	v.Stop()
}
