package ev

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// lateSender is a poller during whose wakeAt another goroutine sends: after the loop has looked
// for requests, and before it is parked.
type lateSender struct {
	*fdPoller
	send func()
}

func (p lateSender) wakeAt(until time.Duration) bool {
	p.send()
	return p.fdPoller.wakeAt(until)
}

func TestASendWhileTheLoopMakesItsPollFDQuietMakesItReadable(t *testing.T) {
	l, err := New()
	require.NoError(t, err)
	defer l.Close()
	fd, err := l.PollFD()
	require.NoError(t, err)
	calls := 0
	a := NewAsync(l, func(*Async) { calls++ })
	a.Start()
	w := NewTimer(l, time.Hour, 0, func(*Timer) {})
	w.Start()
	inner := l.poller.(*fdPoller)
	l.poller = lateSender{inner, a.Send}
	require.NoError(t, l.RunNoWait())
	l.poller = inner
	assert.Zero(t, calls)
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 1, calls)
}
