package ev_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

func TestBackendsWithoutDescriptorsHaveNoNotifier(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		if backend != ev.BackendChan && backend != ev.BackendAFD {
			continue
		}
		l := newLoop(t, ev.WithBackend(backend))
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		f, err := a.Notifier()
		assert.Nil(t, f)
		assert.ErrorIs(t, err, errors.ErrUnsupported)
		assert.ErrorContains(t, err, "ev: Async.Notifier: the backend "+backend.String()+" cannot be woken by a descriptor: ")
		a.Send()
		nowait(t, l) // it works as before
		a.Stop()
	}
}

func TestAClosedLoopHasNoNotifier(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		a := ev.NewAsync(l, func(*ev.Async) {})
		assert.NoError(t, l.Close())
		f, err := a.Notifier()
		assert.Nil(t, f)
		assert.ErrorIs(t, err, ev.ErrClosed)
	})
}

func TestAnAsyncThatNoConstructorMadeHasNoNotifier(t *testing.T) {
	assert.PanicsWithValue(t, "ev: Async.Notifier: a watcher that no constructor made", func() { _, _ = new(ev.Async).Notifier() })
}
