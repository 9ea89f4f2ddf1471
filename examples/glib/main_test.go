//go:build linux && cgo

package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestTheDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, demo(&out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(lines)
	assert.Equal(t, []string{
		"GLib's timeout", "a goroutine sends 1", "a goroutine sends 4", "a goroutine sends 9",
		"the timer that GLib's timeout has armed", "tick 1", "tick 2", "tick 3",
	}, lines)
}

func newTestHost(t *testing.T) (*ev.Loop, *host) {
	t.Helper()
	l, err := ev.New()
	require.NoError(t, err)
	h, err := newHost(l)
	require.NoError(t, err)
	t.Cleanup(func() {
		h.close()
		assert.NoError(t, l.Verify())
		assert.NoError(t, l.Close())
	})
	return l, h
}

// Every Send of another goroutine is answered, at whatever moment of GLib's loop it comes.
func TestGLibMissesNoSend(t *testing.T) {
	l, h := newTestHost(t)
	const rounds = 5000
	answered := make(chan struct{}, 1)
	calls := 0
	a := ev.NewAsync(l, func(a *ev.Async) {
		if calls++; calls == rounds {
			a.Stop()
		}
		answered <- struct{}{}
	})
	a.Start()
	lost := make(chan bool, 1)
	go func() {
		for range rounds {
			a.Send()
			select {
			case <-answered:
			case <-time.After(20 * time.Second):
				lost <- true
				_ = l.Post(a.Stop)
				return
			}
		}
		lost <- false
	}()
	require.NoError(t, h.run())
	assert.False(t, <-lost)
}

func TestAPanicInACallbackEndsGLibsLoop(t *testing.T) {
	l, h := newTestHost(t)
	w := ev.NewTimer(l, 0, 0, func(*ev.Timer) { panic("boom") })
	w.Start()
	assert.ErrorContains(t, h.run(), "panic: boom")
}

func TestALoopWithNothingToDoReturnsAtOnce(t *testing.T) {
	_, h := newTestHost(t)
	assert.NoError(t, h.run())
}
