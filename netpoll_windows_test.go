package ev_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestAUDPSocketIsWatched(t *testing.T) {
	l := newLoop(t)
	require.Equal(t, ev.BackendAFD, l.Backend())
	a, b := udpPair(t)
	var got []string
	w := ev.NewIO(l, a, ev.Read, func(w *ev.IO, events ev.Events) {
		assert.Equal(t, ev.Read, events)
		buf := make([]byte, 100)
		n, err := readFD(a, buf)
		require.NoError(t, err)
		got = append(got, string(buf[:n]))
		if len(got) == 3 {
			w.Stop()
		}
	})
	require.NoError(t, w.Start())
	nowait(t, l)
	assert.Empty(t, got)
	go func() {
		for _, m := range []string{"a", "b", "c"} {
			_, err := writeFD(b, []byte(m))
			assert.NoError(t, err)
		}
	}()
	run(t, l)
	assert.Equal(t, []string{"a", "b", "c"}, got)
}

func TestALookAtReadySocketsDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l := newLoop(t)
	a, _ := socketpair(t)
	calls := 0
	startIO(t, l, a, ev.Write, func(*ev.IO, ev.Events) { calls++ })
	nowait(t, l)
	assert.Zero(t, testing.AllocsPerRun(200, func() { _ = l.RunNoWait() }))
	assert.Equal(t, 202, calls)
}

func TestWhatIsNoSocketIsRefusedWithAnAdvice(t *testing.T) {
	l := newLoop(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	file, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer file.Close()
	for _, c := range []syscall.Conn{r, file} {
		io := ev.NewConnIO(l, c, ev.Read, func(*ev.IO, ev.Events) {})
		err := io.Start()
		assert.ErrorIs(t, err, errors.ErrUnsupported)
		assert.ErrorContains(t, err, "not a socket")
		assert.ErrorContains(t, err, "use them on a goroutine (see Await and Go)")
		assert.False(t, io.Active())
	}
	a, _ := socketpair(t)
	require.NoError(t, closeFD(a))
	assert.ErrorIs(t, ev.NewIO(l, a, ev.Read, func(*ev.IO, ev.Events) {}).Start(), syscall.EBADF)
}

func TestAClosedSocketHasNoMoreEvents(t *testing.T) {
	for name, events := range map[string]ev.Events{"ready": ev.Read | ev.Write, "not ready": ev.Read} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			a, _ := socketpair(t)
			var got []ev.Events
			w := startIO(t, l, a, events, func(_ *ev.IO, e ev.Events) { got = append(got, e) })
			nowait(t, l)
			require.NoError(t, closeFD(a))
			got = nil
			for range 5 {
				nowait(t, l)
			}
			assert.Empty(t, got)
			assert.True(t, w.Active())
			require.NoError(t, w.SetEvents(events^ev.Write)) // the driver is told of it
			nowait(t, l)
			assert.Equal(t, []ev.Events{ev.Error | ev.Read | ev.Write}, got)
			assert.False(t, w.Active())
		})
	}
}

func TestASocketIsStoppedAndStartedAgain(t *testing.T) {
	l := newLoop(t)
	a, b := socketpair(t)
	calls := 0
	w := startIO(t, l, a, ev.Read, func(*ev.IO, ev.Events) { calls++ })
	for range 100 {
		nowait(t, l) // a request is in progress
		w.Stop()
		nowait(t, l) // and is cancelled
		require.NoError(t, w.Start())
	}
	assert.Zero(t, calls)
	write(t, b, "x")
	until(t, l, func() bool { return calls == 1 })
}

// The listener and the connections are package net's, which waits for them by other means.
func TestAListenerIsReadyWhenSomebodyConnects(t *testing.T) {
	l := newLoop(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	accepted := 0
	w := ev.NewConnIO(l, ln.(*net.TCPListener), ev.Read, func(w *ev.IO, got ev.Events) {
		assert.Equal(t, ev.Read, got)
		c, err := ln.Accept()
		require.NoError(t, err)
		assert.NoError(t, c.Close())
		if accepted++; accepted == 10 {
			w.Stop()
		}
	})
	require.NoError(t, w.Start())
	nowait(t, l)
	assert.Zero(t, accepted)
	go func() {
		for range 10 {
			c, err := net.Dial("tcp", ln.Addr().String())
			if assert.NoError(t, err) {
				defer c.Close()
			}
		}
	}()
	run(t, l)
}

// A connection that fails is ready for every event.
func TestAResetIsReportedAsWhatWasAskedFor(t *testing.T) {
	l := newLoop(t)
	a, b := connPair(t)
	var got ev.Events
	w := ev.NewConnIO(l, a, ev.Read, func(_ *ev.IO, e ev.Events) { got = e })
	require.NoError(t, w.Start())
	nowait(t, l)
	require.NoError(t, b.SetLinger(0))
	require.NoError(t, b.Close())
	until(t, l, func() bool { return got == ev.Read })
	got = ev.None
	nowait(t, l)
	assert.Equal(t, ev.Read, got, "it lasts")
}
