package ev_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/look"
)

// noted makes a loop note its Sends, and returns a function that returns the kinds of the
// callbacks since its last call, each with a * if its Send was noted.
func noted(t *testing.T, l *ev.Loop) (stop func(), since func() []string) {
	t.Helper()
	var all []string
	began := time.Now()
	l.Observe(&ev.Observer{Begin: func(c ev.Callback, now time.Time) {
		kind := c.Kind()
		if at, stack, ok := look.Sent(l, c.Watcher); ok {
			kind += "*"
			assert.False(t, at.Before(began))
			assert.False(t, at.After(now))
			assert.True(t, fromHere(stack), kind)
		}
		all = append(all, kind)
	}})
	return look.Sends(l), func() []string { defer func() { all = nil }(); return all }
}

// fromHere reports whether a test is in a stack.
func fromHere(stack [8]uintptr) bool {
	for frames, more := runtime.CallersFrames(stack[:]), true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); strings.HasPrefix(f.Function, "github.com/goevlib/ev_test.") {
			return true
		}
	}
	return false
}

func TestASendIsNotedForTheCallbackThatAnswersIt(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		stop, since := noted(t, l)
		a := ev.NewAsync(l, func(*ev.Async) {})
		a.Start()
		q := ev.NewQueue(l, 0, func(*ev.Queue[int], []int) {})
		q.Start()
		a.Send()
		require.NoError(t, q.Send(1))
		require.NoError(t, l.Post(func() {}))
		require.NoError(t, l.Post(func() {}))
		nowait(t, l)
		assert.Equal(t, []string{"Async*", "Queue*", "Post*", "Post"}, since(), "the second post was collected with the first")

		a.Feed(ev.AsyncEvent)
		nowait(t, l)
		assert.Equal(t, []string{"Async"}, since(), "a note is for one callback")

		a.Send()
		a.Stop()
		a.Start()
		nowait(t, l)
		a.Feed(ev.AsyncEvent)
		nowait(t, l)
		assert.Equal(t, []string{"Async"}, since(), "the Send was forgotten")

		a.Send()
		a.Stop()
		a.Start()
		a.Send() // the request is in the list still
		nowait(t, l)
		assert.Equal(t, []string{"Async"}, since(), "of this Send nothing is known, and of the other nothing is told")

		a.Send()
		stop()
		nowait(t, l)
		a.Send()
		nowait(t, l)
		assert.Equal(t, []string{"Async", "Async"}, since())
		stop()
	})
}

func TestSendsAreNotedUntilTheLastRecorderStops(t *testing.T) {
	l := newLoop(t)
	first, since := noted(t, l)
	second := look.Sends(l)
	a := ev.NewAsync(l, func(*ev.Async) {})
	a.Start()
	for _, stop := range []func(){first, first, second} {
		a.Send()
		nowait(t, l)
		assert.Equal(t, []string{"Async*"}, since())
		stop()
	}
	a.Send()
	nowait(t, l)
	assert.Equal(t, []string{"Async"}, since())
}

func TestSendsOfAnyNumberOfWatchersAreNoted(t *testing.T) {
	const n = 1000
	l := newLoop(t)
	_, since := noted(t, l)
	all := make([]*ev.Async, n)
	for i := range all {
		all[i] = ev.NewAsync(l, func(*ev.Async) {}, ev.Name(fmt.Sprint(i)))
		all[i].Start()
	}
	nowait(t, l) // it makes room for so many notes
	for _, a := range all {
		a.Send()
	}
	nowait(t, l)
	assert.Equal(t, slices.Repeat([]string{"Async*"}, n), since())
}
