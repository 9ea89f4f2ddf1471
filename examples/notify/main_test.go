//go:build cgo && unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

const patience = 20 * time.Second

// runUntilStop runs the loop until a callback stops it. It fails the test if no
// callback does.
func runUntilStop(t *testing.T, loop *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, loop.Run(ctx), "a send was lost")
}

// newLoop makes a loop for a test, and checks that the test leaves no
// descriptor behind.
func newLoop(t *testing.T) *ev.Loop {
	t.Helper()
	warm, err := ev.New() // makes the runtime's own poller
	require.NoError(t, err)
	require.NoError(t, warm.Close())
	before := descriptors()
	loop, err := ev.New()
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, loop.Verify())
		assert.NoError(t, loop.Close())
		assert.LessOrEqual(t, descriptors(), before, "a descriptor was left open")
	})
	return loop
}

// descriptors returns the number of open descriptors, or 0 without /proc.
func descriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func TestAThreadSendsForEachValueAndNoneIsMissed(t *testing.T) {
	loop := newLoop(t)
	const values = 5000
	var p *producer
	callbacks := 0
	async := ev.NewAsync(loop, func(*ev.Async) {
		callbacks++
		if p.made() == values {
			loop.Stop()
		}
	})
	async.Start()
	p, err := startProducer(async, 0, values)
	require.NoError(t, err)
	runUntilStop(t, loop)
	assert.LessOrEqual(t, callbacks, values)
	require.NoError(t, p.join())
}

func TestEachSignalIsASend(t *testing.T) {
	loop := newLoop(t)
	async := ev.NewAsync(loop, func(*ev.Async) { loop.Stop() })
	async.Start()
	h, err := installHandler(syscall.SIGUSR1, async)
	require.NoError(t, err)
	before := handled()
	for i := range 50 {
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1))
		runUntilStop(t, loop)
		require.Equal(t, before+i+1, handled())
	}
	require.NoError(t, h.remove())
}

// A thread that C made has no goroutine, and the runtime's handler has no stack
// of its own there.
func TestAHandlerOnAThreadOfCSends(t *testing.T) {
	loop := newLoop(t)
	const values = 500
	before, callbacks := handled(), 0
	async := ev.NewAsync(loop, func(*ev.Async) {
		callbacks++
		if handled() == before+values {
			loop.Stop()
		}
	})
	async.Start()
	h, err := installHandler(syscall.SIGUSR1, async)
	require.NoError(t, err)
	unused := ev.NewAsync(loop, func(*ev.Async) { assert.Fail(t, "the thread has not written to this") })
	unused.Start()
	p, err := startProducer(unused, syscall.SIGUSR1, values)
	require.NoError(t, err)
	runUntilStop(t, loop)
	assert.LessOrEqual(t, callbacks, values)
	require.NoError(t, p.join())
	require.NoError(t, h.remove())
}

func TestTheHandlerLeavesGoItsSignals(t *testing.T) {
	loop := newLoop(t)
	for _, order := range []string{"before", "after"} {
		heard := make(chan os.Signal, 1)
		if order == "before" {
			signal.Notify(heard, syscall.SIGUSR2)
		}
		async := ev.NewAsync(loop, func(*ev.Async) { loop.Stop() })
		async.Start()
		h, err := installHandler(syscall.SIGUSR2, async)
		require.NoError(t, err)
		if order == "after" {
			signal.Notify(heard, syscall.SIGUSR2)
		}
		for range 3 {
			require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR2))
			runUntilStop(t, loop)
			receive(t, heard)
		}
		require.NoError(t, h.remove())
		before := handled()
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR2))
		receive(t, heard)
		assert.Equal(t, before, handled(), "it was removed")
		signal.Stop(heard)
		async.Stop()
	}
}

func receive(t *testing.T, heard <-chan os.Signal) {
	t.Helper()
	select {
	case <-heard:
	case <-time.After(patience):
		require.FailNow(t, "os/signal has not heard")
	}
}

// A handler on the wrong stack would destroy goroutines whose stacks grow, move
// and are collected.
func TestHandlersAndBusyGoroutinesGetAlong(t *testing.T) {
	loop := newLoop(t)
	const signals = 500
	async := ev.NewAsync(loop, func(*ev.Async) {})
	async.Start()
	h, err := installHandler(syscall.SIGUSR1, async)
	require.NoError(t, err)
	before := handled()
	done := make(chan int)
	for range 2 * runtime.GOMAXPROCS(0) {
		go func() { done <- deep(2000) }()
	}
	p, err := startProducer(async, syscall.SIGUSR1, signals)
	require.NoError(t, err)
	for range 2 * runtime.GOMAXPROCS(0) {
		assert.Equal(t, 2000, <-done)
	}
	for range 50 {
		require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGUSR1))
	}
	require.NoError(t, p.join())
	require.NoError(t, h.remove())
	assert.GreaterOrEqual(t, handled(), before+signals, "signals to the process may collapse, those of the thread to itself not")
}

func deep(n int) int {
	if n == 0 {
		return 0
	}
	var frame [64]byte
	frame[n%64] = 1
	return deep(n-1) + int(frame[n%64])
}

func TestThereIsOneHandler(t *testing.T) {
	loop := newLoop(t)
	async := ev.NewAsync(loop, func(*ev.Async) {})
	h, err := installHandler(syscall.SIGUSR1, async)
	require.NoError(t, err)
	_, err = installHandler(syscall.SIGUSR2, async)
	assert.ErrorIs(t, err, syscall.EBUSY)
	require.NoError(t, h.remove())
	_, err = installHandler(syscall.SIGKILL, async)
	assert.ErrorIs(t, err, syscall.EINVAL)
	assert.ErrorContains(t, err, "handle killed")
}

func TestAShellSends(t *testing.T) {
	loop := newLoop(t)
	out := t.TempDir() + "/sent"
	callbacks, lines := 0, 0
	async := ev.NewAsync(loop, func(*ev.Async) {
		callbacks++
		text, err := os.ReadFile(out)
		assert.NoError(t, err)
		if lines = strings.Count(string(text), "\n"); lines == 20 {
			loop.Stop()
		}
	})
	async.Start()
	cmd, err := startChild(async, `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $i >>"$1"; send; done`, out)
	require.NoError(t, err)
	runUntilStop(t, loop)
	assert.LessOrEqual(t, callbacks, lines)
	require.NoError(t, cmd.Wait())
}

func TestWithoutANotifierNothingIsStarted(t *testing.T) {
	loop, err := ev.New(ev.WithBackend(ev.BackendChan))
	require.NoError(t, err)
	defer loop.Close()
	async := ev.NewAsync(loop, func(*ev.Async) {})
	_, err = startProducer(async, 0, 1)
	assert.ErrorContains(t, err, "cannot be woken by a descriptor")
	_, err = installHandler(syscall.SIGUSR1, async)
	assert.ErrorContains(t, err, "cannot be woken by a descriptor")
	_, err = startChild(async, "send")
	assert.ErrorContains(t, err, "cannot be woken by a descriptor")
}

func TestTheProgramHearsOfAllThree(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(&out, 100))
	var callbacks int
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 3)
	assert.Contains(t, lines, "child: hello")
	assert.Contains(t, lines, "handler: "+syscall.SIGUSR1.String())
	_, err := fmt.Sscanf(out.String()[strings.Index(out.String(), "thread"):], "thread: 100 values in %d callbacks", &callbacks)
	require.NoError(t, err)
	assert.LessOrEqual(t, callbacks, 100)
}
