package faults

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

// own returns the descriptor that fn opens and whose name contains kind.
func own(t *testing.T, kind string, fn func()) int {
	t.Helper()
	before := leak.Descriptors()
	fn()
	for number, name := range leak.Descriptors() {
		if _, old := before[number]; !old && strings.Contains(name, kind) {
			fd, err := strconv.Atoi(number)
			require.NoError(t, err)
			return fd
		}
	}
	require.FailNow(t, "no "+kind)
	return -1
}

// A program that closes a descriptor of the loop has a bug that the loop cannot repair:
// the number may belong to another file by now. The loop survives these cases.
var survived = []struct {
	kind string
	mode ev.Wakeup
	says string
}{
	{"timerfd", ev.WakeWrite, "ev: Close: close: "},
	{"eventfd", ev.WakeDirect, "ev: Close: close ev-wake: "},
	{"eventfd", ev.WakeWrite, "ev: Close: close ev-wake: "},
	{"eventfd", ev.WakeAuto, "ev: Close: close ev-wake: "},
}

func TestALoopGoesOnWithoutADescriptorClosedBehindItsBack(t *testing.T) {
	for _, s := range survived {
		t.Run(s.kind+" "+s.mode.String(), func(t *testing.T) {
			if !alone(t) {
				return
			}
			var l *ev.Loop
			fd := own(t, s.kind, func() {
				var err error
				l, err = ev.New(ev.WithBackend(ev.BackendEpoll), ev.WithWakeup(s.mode))
				require.NoError(t, err)
				lives(t, l)
			})
			require.NoError(t, unix.Close(fd))
			for range 3 {
				lives(t, l)
			}
			err := l.Close()
			assert.ErrorIs(t, err, unix.EBADF, "it was not the loop that closed it")
			assert.ErrorContains(t, err, s.says)
			assert.NoError(t, l.Verify())
		})
	}
}

func TestCloseDoesNotHideThatTheSetWasClosedBehindItsBack(t *testing.T) {
	if !alone(t) {
		return
	}
	r, _ := pipe(t)
	var l *ev.Loop
	fd := own(t, "eventpoll", func() {
		var err error
		l, err = ev.New(ev.WithBackend(ev.BackendEpoll))
		require.NoError(t, err)
		io, _ := reader(t, l, r)
		require.NoError(t, io.Start())
	})
	require.NoError(t, unix.Close(fd))
	err := l.Close()
	assert.ErrorIs(t, err, unix.EBADF)
	assert.ErrorContains(t, err, "ev: Close: close ev-set: ")
}
