package ev

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestABatchThatIsUsedAgainKeepsNothingAlive(t *testing.T) {
	batch := make([]*int, 5, 8)
	for i := range batch {
		batch[i] = new(int)
	}
	empty := recycle(batch)
	assert.Empty(t, empty)
	assert.Equal(t, make([]*int, 8), empty[:8])
}

// It sleeps: in a bubble, time passes only if it does.
func TestACallSleepsWhileAFunctionThatBeganBeforeCloseGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := New(WithBackend(BackendChan))
		require.NoError(t, err)
		NewAsync(l, func(*Async) {}).Start()
		ended := make(chan error, 1)
		go func() { ended <- l.Run(context.Background()) }()
		go func() {
			time.Sleep(time.Minute)
			assert.NoError(t, l.Close())
		}()
		v, err := Call(context.Background(), l, func() (int, error) {
			time.Sleep(time.Hour)
			return 42, nil
		})
		require.NoError(t, err)
		assert.Equal(t, 42, v)
		assert.Equal(t, ErrClosed, <-ended)
	})
}

func TestTheGoroutineOfARunIsKnownInARunInsideItAndAfter(t *testing.T) {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	NewTimer(l, 0, 0, func(*Timer) {
		own := l.Goroutine()
		assert.NotZero(t, own)
		NewTimer(l, 0, 0, func(*Timer) { assert.Equal(t, own, l.Goroutine()) }).Start()
		assert.NoError(t, l.RunOnce(context.Background()))
		assert.Equal(t, own, l.Goroutine())
		assert.NoError(t, l.RunNoWait())
		assert.Equal(t, own, l.Goroutine())
	}).Start()
	require.NoError(t, l.Run(context.Background()))
	assert.Zero(t, l.Goroutine())
}
