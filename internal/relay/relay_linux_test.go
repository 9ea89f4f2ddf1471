package relay

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func open(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	return fd
}

func TestFilesThatNeedARelay(t *testing.T) {
	regular, err := os.Create(t.TempDir() + "/file")
	require.NoError(t, err)
	require.NoError(t, regular.Close())
	for path, want := range map[string]bool{
		"/proc/self/mounts": true, "/proc/self/mountinfo": true, "/proc/swaps": true,
		"/proc/self/status": false, "/proc/self": false, "/dev/null": false, regular.Name(): false,
	} {
		fd := open(t, path)
		needed, err := Needed(fd)
		require.NoError(t, err, path)
		assert.Equal(t, want, needed, path)
		require.NoError(t, unix.Close(fd))
	}
	_, err = Needed(1 << 20)
	assert.ErrorIs(t, err, unix.EBADF)
}

// The first event comes without a change.
func TestARelayIsReadyAtFirstAndHoldsItsFile(t *testing.T) {
	s, err := NewSet()
	require.NoError(t, err)
	defer s.Close()
	fd := open(t, "/proc/self/mounts")
	r, err := s.Relay(fd)
	require.NoError(t, err)
	defer r.Close()
	readable := func() bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(s.FD()), Events: unix.POLLIN}}, 0)
		require.NoError(t, err)
		return n == 1
	}
	require.Eventually(t, readable, 20*time.Second, time.Millisecond)
	assert.Equal(t, []*Relay{r}, s.Ready())
	assert.False(t, readable())
	assert.Empty(t, s.Ready())
	assert.Equal(t, fd, r.FD())
	assert.False(t, r.Broken())
	assert.True(t, r.Holds())
	require.NoError(t, unix.Close(fd))
	assert.False(t, r.Holds())
}
