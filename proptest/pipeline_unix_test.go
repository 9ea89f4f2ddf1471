//go:build unix

package proptest

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// pipeline is a pipe of the system, with the number of bytes in it.
type pipeline struct {
	ends   [2]int
	unread int
}

func newPipeline(t *testing.T) *pipeline {
	p := &pipeline{}
	require.NoError(t, syscall.Pipe(p.ends[:]))
	for _, fd := range p.ends {
		syscall.CloseOnExec(fd)
		require.NoError(t, syscall.SetNonblock(fd, true))
		t.Cleanup(func() { require.NoError(t, syscall.Close(fd)) })
	}
	return p
}

func (p *pipeline) fd() int { return p.ends[0] }

func (p *pipeline) fill() error {
	p.unread++
	_, err := syscall.Write(p.ends[1], []byte{1})
	return err
}

func (p *pipeline) drain() error {
	if p.unread == 0 {
		return nil
	}
	_, err := syscall.Read(p.ends[0], make([]byte, p.unread))
	p.unread = 0
	return err
}
