package proptest

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// Where the core differs from its documentation, as far as these tests know. The
// reference follows the core, so that they find what else there is; the tests
// below show each case, and are skipped. When the core is mended, its constant
// goes, and so does the test.
const (
	closeKeepsPosts  = true
	closeKeepsItems  = true
	panicKeepsEvents = true
)

func TestNothingPostedKeepsAClosedLoopAlive(t *testing.T) {
	if closeKeepsPosts {
		t.Skip("the core: Alive is true after a Close that dropped a post")
	}
	l := newLoop(t)
	require.NoError(t, l.Post(func() {}))
	require.NoError(t, l.Close())
	assert.False(t, l.Alive())
}

func TestCloseDropsTheItemsOfAStoppedQueue(t *testing.T) {
	if closeKeepsItems {
		t.Skip("the core: Close drops the items of active Queues only")
	}
	l := newLoop(t)
	q := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) { assert.Empty(t, batch) })
	require.NoError(t, q.Send(1))
	require.NoError(t, l.Close())
	q.Invoke(ev.Custom)
}

func TestEventsSurviveAPanicOfANestedCallback(t *testing.T) {
	if panicKeepsEvents {
		t.Skip("the core: after it, Events are those of the nested callback")
	}
	l := newLoop(t, ev.WithPanicHandler(func(ev.Watcher, any, []byte) {}))
	calls := 0
	w := ev.NewAsync(l, func(w *ev.Async) {
		if calls++; calls == 2 {
			panic(errThrown)
		}
		w.Feed(ev.Custom)
		require.NoError(t, l.RunNoWait())
		assert.Equal(t, ev.AsyncEvent, w.Events())
	})
	w.Feed(ev.AsyncEvent)
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 2, calls)
}
