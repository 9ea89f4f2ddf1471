//go:build unix

package signals

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const patience = 20 * time.Second

func raise(t *testing.T, n syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), n))
}

func receive[T any](t *testing.T, c <-chan T) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		require.FailNow(t, "nothing was received")
	}
}

func TestNumberRefusesASignalThatNeverComes(t *testing.T) {
	n, err := Number(syscall.SIGUSR1)
	require.NoError(t, err)
	assert.Equal(t, syscall.SIGUSR1, n)
	for sig, want := range map[os.Signal]string{
		nil:                "nil signal",
		syscall.Signal(0):  "signal 0: invalid argument",
		syscall.Signal(65): "signal 65: invalid argument",
		syscall.SIGKILL:    "signal killed cannot be caught",
	} {
		_, err := Number(sig)
		assert.EqualError(t, err, want)
	}
}

func TestASourceDeliversRealAndFedSignalsUntilClose(t *testing.T) {
	delivered := make(chan struct{}, 10)
	s := NewSource(syscall.SIGUSR1, func() { delivered <- struct{}{} })
	s.Renew()
	Feed(syscall.SIGUSR1)
	receive(t, delivered)
	raise(t, syscall.SIGUSR1)
	receive(t, delivered)
	Feed(syscall.SIGUSR2)
	s.Close()
	Feed(syscall.SIGUSR1)
	assert.Empty(t, delivered)
}

func TestNotifyRenewsAllSubscriptions(t *testing.T) {
	first, second := make(chan os.Signal, 1), make(chan os.Signal, 1)
	Notify(first, syscall.SIGUSR1)
	signal.Reset(syscall.SIGUSR1)
	Notify(second, syscall.SIGUSR1)
	raise(t, syscall.SIGUSR1)
	receive(t, first)
	receive(t, second)
	Stop(first, syscall.SIGUSR1)
	Stop(second, syscall.SIGUSR1)
}

func TestStopRestoresThatASignalWasIgnored(t *testing.T) {
	signal.Ignore(syscall.SIGUSR2)
	defer signal.Reset(syscall.SIGUSR2)
	c := make(chan os.Signal, 1)
	Notify(c, syscall.SIGUSR2)
	assert.False(t, signal.Ignored(syscall.SIGUSR2))
	Stop(c, syscall.SIGUSR2)
	assert.True(t, signal.Ignored(syscall.SIGUSR2))
}
