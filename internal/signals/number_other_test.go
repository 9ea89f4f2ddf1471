//go:build !unix

package signals

import (
	"errors"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNumberRefusesASignalThatIsNeverSent(t *testing.T) {
	_, err := Number(syscall.SIGKILL)
	assert.ErrorContains(t, err, "cannot be caught")
	for _, n := range []syscall.Signal{syscall.SIGQUIT, 64} {
		_, err := Number(n)
		assert.ErrorIs(t, err, errors.ErrUnsupported, n)
	}
	n, err := Number(syscall.SIGINT)
	if runtime.GOOS == "windows" {
		assert.NoError(t, err)
		assert.Equal(t, syscall.SIGINT, n)
	} else {
		assert.ErrorIs(t, err, errors.ErrUnsupported)
	}
}
