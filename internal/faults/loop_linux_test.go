package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// patience bounds every wait: long enough for a busy machine.
const patience = 30 * time.Second

// newLoop makes a loop with descriptors, which is verified and closed in the end.
func newLoop(t *testing.T, opts ...ev.LoopOption) *ev.Loop {
	t.Helper()
	l, err := ev.New(append([]ev.LoopOption{ev.WithBackend(ev.BackendEpoll)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, l.Verify())
		assert.NoError(t, l.Close())
	})
	return l
}

// run runs the loop until nothing is active, or it is stopped.
func run(t *testing.T, l *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, l.Run(ctx), "the loop did not come to its end")
}

// until iterates until done.
func until(t *testing.T, l *ev.Loop, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !done() {
		require.NoError(t, l.RunOnce(ctx), "it did not come")
	}
}

// lives runs a loop and checks that it works: sends wake it from its parks, timers fire
// in their order and not early, Post and Call are served.
func lives(t *testing.T, l *ev.Loop) {
	t.Helper()
	const rounds = 20
	answers, order := make(chan int, rounds), []int(nil)
	n, began := 0, time.Now()
	l.Update() // timers count from here
	a := ev.NewAsync(l, func(a *ev.Async) {
		if n++; n == rounds {
			a.Stop()
		}
		answers <- n
	})
	a.Start()
	for _, ms := range []int{9, 3, 15} {
		ev.NewTimer(l, time.Duration(ms)*time.Millisecond, 0, func(*ev.Timer) {
			assert.GreaterOrEqual(t, time.Since(began), time.Duration(ms)*time.Millisecond)
			order = append(order, ms)
		}).Start()
	}
	called, serving := make(chan error, 1), false
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for range rounds {
			a.Send()
			<-answers
		}
	}()
	go func() {
		got, err := ev.Call(context.Background(), l, func() (string, error) { serving = true; return "yes", nil })
		if err == nil && got != "yes" {
			err = fmt.Errorf("Call answered %q", got)
		}
		called <- err
	}()
	posted := false
	require.NoError(t, l.Post(func() { posted = true }))
	until(t, l, func() bool { return n == rounds && len(order) == 3 && posted && serving })
	<-sent // a Send in progress holds the descriptor, and would take the error from Close
	assert.NoError(t, <-called)
	assert.Equal(t, []int{3, 9, 15}, order)
	assert.NoError(t, l.Verify())
}

// parks runs the loop until it makes no iteration for a while. It tries more than once:
// a spurious wake-up may come.
func parks(t *testing.T, l *ev.Loop) {
	t.Helper()
	l.Ref()
	defer l.Unref()
	before := l.Stats().Parks
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	assert.Eventually(t, func() bool {
		now := l.Stats().Parks
		time.Sleep(20 * time.Millisecond)
		return now > before && l.Stats().Parks == now && l.Parked()
	}, patience, time.Microsecond, "the loop spins")
	l.Stop()
	require.NoError(t, <-ended)
}

// pipe makes a non-blocking pipe. It is closed after the test.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_NONBLOCK|unix.O_CLOEXEC))
	t.Cleanup(func() {
		_ = unix.Close(p[0])
		_ = unix.Close(p[1])
	})
	return p[0], p[1]
}

// write writes all data to a descriptor that has room for it.
func write(t *testing.T, fd int, data string) {
	t.Helper()
	n, err := unix.Write(fd, []byte(data))
	require.NoError(t, err)
	require.Equal(t, len(data), n)
}

// reader makes a watcher that reads all data, and keeps it.
func reader(t *testing.T, l *ev.Loop, fd int) (w *ev.IO, got *string) {
	t.Helper()
	got = new(string)
	w = ev.NewIO(l, fd, ev.Read, func(*ev.IO, ev.Events) {
		buf := make([]byte, 1<<16)
		if n, err := unix.Read(fd, buf); err == nil {
			*got += string(buf[:n])
		}
	})
	return w, got
}
