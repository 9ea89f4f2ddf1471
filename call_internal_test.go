package ev

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Time passes in a bubble only while every goroutine sleeps. The goroutine in Call must
// sleep too.
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

const patience = 10 * time.Second

func callLoop(t *testing.T) *Loop {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// goCall calls on a goroutine of its own. The channel gets the error. It returns once the job is
// the n-th in the mailbox.
func goCall(t *testing.T, l *Loop, n int, fn func() (int, error)) <-chan error {
	answer := make(chan error, 1)
	go func() {
		_, err := Call(context.Background(), l, fn)
		answer <- err
	}()
	require.Eventually(t, func() bool {
		l.mail.mu.Lock()
		defer l.mail.mu.Unlock()
		return len(l.mail.in) == n
	}, patience, 50*time.Microsecond)
	return answer
}

func answerOf(t *testing.T, answer <-chan error) error {
	select {
	case err := <-answer:
		return err
	case <-time.After(patience):
		require.FailNow(t, "no answer")
		return nil
	}
}

func notRun() (int, error) { panic("it was refused") }

// The loop has taken both jobs when the first of them blocks.
func TestCloseAnswersACallBehindAFunctionThatGoesOn(t *testing.T) {
	l := callLoop(t)
	begun, free := make(chan struct{}), make(chan struct{})
	require.NoError(t, l.Post(func() { close(begun); <-free }))
	taken := goCall(t, l, 2, notRun)
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	<-begun
	queued := goCall(t, l, 1, notRun)
	require.NoError(t, l.Close())
	assert.Equal(t, ErrClosed, answerOf(t, taken))
	assert.Equal(t, ErrClosed, answerOf(t, queued))
	close(free)
	assert.Equal(t, ErrClosed, answerOf(t, ended))
}

func TestCloseAnswersCallsThatWereTakenInSeveralIterations(t *testing.T) {
	l := callLoop(t)
	var answers []<-chan error
	call := func(n int) { answers = append(answers, goCall(t, l, n, notRun)) }
	l.SetInvoke(func(*Loop) {})
	call(1)
	call(2)
	require.NoError(t, l.RunNoWait())
	call(1)
	call(2)
	require.NoError(t, l.RunNoWait())
	call(1)
	require.NoError(t, l.Close())
	for _, a := range answers {
		assert.Equal(t, ErrClosed, answerOf(t, a))
	}
}

// The first Call asks for a look. The loop takes its job before the look, so the look proves
// nothing about the second.
func TestACallByACalledFunctionPanics(t *testing.T) {
	l := callLoop(t)
	answer := goCall(t, l, 1, func() (int, error) {
		return Call(context.Background(), l, notRun)
	})
	assert.Panics(t, func() { _ = l.Run(context.Background()) })
	var p *PanicError
	require.ErrorAs(t, answerOf(t, answer), &p)
	assert.Equal(t, "ev: Call on the loop's own goroutine would wait for itself for ever", p.Value)
}

func TestNoLookAtCallsIsToComeWhileNoneWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := callLoop(t)
		watched := func() bool {
			l.mail.mu.Lock()
			defer l.mail.mu.Unlock()
			return l.mail.calls.watched
		}
		answer := goCall(t, l, 1, func() (int, error) { return 0, nil })
		assert.True(t, watched())
		require.NoError(t, l.RunNoWait())
		require.NoError(t, <-answer)
		time.Sleep(slowAnswer)
		synctest.Wait()
		assert.False(t, watched())

		NewAsync(l, func(*Async) {}).Start()
		ended := make(chan error, 1)
		go func() { ended <- l.Run(context.Background()) }()
		synctest.Wait()
		_, err := Call(context.Background(), l, func() (int, error) { return 0, nil })
		require.NoError(t, err)
		assert.False(t, watched(), "the loop was asleep, so it is not the caller")
		l.Stop()
		require.NoError(t, <-ended)
	})
}

// Nobody receives what is sent to a caller that has given up.
func TestCallersThatHaveGivenUpAreAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := callLoop(t)
		for range 5 {
			ctx, cancel := context.WithTimeout(context.Background(), 2*slowAnswer)
			_, err := Call(ctx, l, notRun)
			assert.Equal(t, context.DeadlineExceeded, err)
			cancel()
		}
		require.NoError(t, l.RunNoWait())
	})
}

func TestWhatWasCalledAndItsResultAreGarbageAfterwards(t *testing.T) {
	l := callLoop(t)
	NewAsync(l, func(*Async) {}).Start()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	call := func() (argument, result weak.Pointer[[64]byte]) {
		v := new([64]byte)
		got, err := Call(context.Background(), l, func() (*[64]byte, error) {
			r := new([64]byte)
			copy(r[:], v[:])
			return r, nil
		})
		assert.NoError(t, err)
		return weak.Make(v), weak.Make(got)
	}
	argument, result := call()
	require.Eventually(t, func() bool {
		runtime.GC() // the loop's goroutine may still be in the call
		return argument.Value() == nil && result.Value() == nil
	}, patience, time.Millisecond)
	l.Stop()
	require.NoError(t, <-ended)
}
