package evtime_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

const (
	ms  = time.Millisecond
	sec = time.Second
)

// inBubble runs the test with a loop in virtual time, in which every moment is
// exact. The loop is verified and closed afterwards.
func inBubble(t *testing.T, test func(t *testing.T, s *script)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		t.Cleanup(func() {
			assert.NoError(t, l.Verify())
			assert.NoError(t, l.Close())
		})
		test(t, &script{Loop: l, t: t, began: time.Now()})
	})
}

// script is a loop, the actions that are planned for it, and the times of its calls.
type script struct {
	*ev.Loop
	t     *testing.T
	began time.Time
	calls []time.Duration // when
}

// at runs fn on the loop at that time since the beginning.
func (s *script) at(d time.Duration, fn func()) {
	ev.NewTimer(s.Loop, d, 0, func(*ev.Timer) { fn() }).Start()
}

func (s *script) elapsed() time.Duration { return time.Since(s.began) }

// note records a call of the callback under test.
func (s *script) note() { s.calls = append(s.calls, s.elapsed()) }

// play runs the loop until nothing is active.
func (s *script) play() {
	s.t.Helper()
	require.NoError(s.t, s.Run(s.t.Context()))
}

// called asserts the times of the calls.
func (s *script) called(at ...time.Duration) {
	s.t.Helper()
	assert.Equal(s.t, at, s.calls)
}
