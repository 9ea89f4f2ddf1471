//go:build unix && !solaris && !illumos && !aix

package ev_test

import (
	"bytes"
	"io"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// The descriptors of a pipe(2) are blocking, as standard input and output mostly are.
func TestTryDoesNotWaitOnABlockingDescriptor(t *testing.T) {
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		var fds [2]int
		require.NoError(t, syscall.Pipe(fds[:]))
		defer syscall.Close(fds[0])
		in := ev.NewIO(l, fds[0], ev.Read, func(*ev.IO, ev.Events) {})
		out := ev.NewIO(l, fds[1], ev.Write, func(*ev.IO, ev.Events) {})
		buf := make([]byte, 1<<20)
		_, err := in.TryRead(buf)
		assert.Equal(t, ev.ErrWouldBlock, err)

		data, written := bytes.Repeat([]byte("x"), 1<<20), 0
		for {
			n, err := out.TryWrite(data)
			if err == ev.ErrWouldBlock {
				break
			}
			require.NoError(t, err)
			written += n
		}
		assert.Positive(t, written)
		require.NoError(t, syscall.Close(fds[1]))
		for read := 0; ; {
			n, err := in.TryRead(buf)
			if err == io.EOF {
				assert.Equal(t, written, read)
				break
			}
			require.NoError(t, err)
			read += n
		}
	})
}

func TestTryOfADescriptorThatIsNotOpenReturnsTheErrorOfTheSystem(t *testing.T) {
	l := newLoop(t)
	w := ev.NewIO(l, 1<<20, ev.Read, func(*ev.IO, ev.Events) {})
	_, err := w.TryRead(make([]byte, 1))
	assert.ErrorIs(t, err, syscall.EBADF)
	_, err = ev.NewIO(l, -1, ev.Read, func(*ev.IO, ev.Events) {}).TryRead(nil)
	assert.EqualError(t, err, "ev: IO.TryRead: negative descriptor")
}
