package wallclock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The test cannot set the clock. It makes the timer due at once instead.
func TestResetArmsTheTimerAgain(t *testing.T) {
	w, err := New()
	require.NoError(t, err)
	defer w.Close()
	readable := func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.FD()), Events: unix.POLLIN}}, 0)
		require.NoError(t, err)
		return n == 1
	}
	assert.False(t, readable())
	require.NoError(t, unix.TimerfdSettime(w.FD(), 0, &unix.ItimerSpec{Value: unix.NsecToTimespec(1)}, nil))
	require.Eventually(t, readable, 20*time.Second, time.Millisecond)
	w.Reset()
	assert.False(t, readable())
	var left unix.ItimerSpec
	require.NoError(t, unix.TimerfdGettime(w.FD(), &left))
	assert.Greater(t, time.Duration(left.Value.Nano()), Ahead-time.Minute)
}
