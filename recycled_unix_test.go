//go:build unix

package ev_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// recycledDescriptors opens socket pairs. They get the lowest free numbers, among them
// the numbers that were just closed. quiet checks that nothing was written to any of
// them.
func recycledDescriptors(t *testing.T) (quiet func()) {
	var pairs [8][2]int
	for i := range pairs {
		var err error
		pairs[i], err = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		require.NoError(t, err)
		for _, fd := range pairs[i] {
			require.NoError(t, syscall.SetNonblock(fd, true))
		}
	}
	return func() {
		for _, pair := range pairs {
			for _, fd := range pair {
				var buf [8]byte
				n, _, err := syscall.Recvfrom(fd, buf[:], 0)
				assert.ErrorIs(t, err, syscall.EAGAIN, "%d bytes came to a descriptor that is not the loop's", n)
			}
			assert.NoError(t, syscall.Close(pair[0]))
			assert.NoError(t, syscall.Close(pair[1]))
		}
	}
}
