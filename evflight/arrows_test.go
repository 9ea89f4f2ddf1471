package evflight_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
)

// arrow is what a viewer shows: between which slices, and when.
type arrow struct {
	from, to   string
	sent, came float64 // in seconds
}

// parse reads the events as strictly as a viewer does, and returns the arrows. The slices of a
// line must lie in each other or beside each other. An arrow's ends have one ID, which no other
// arrow has, one name and one category. Each end is in the slice that is innermost when it is read,
// and the first is not later than the second.
func parse(t *testing.T, events []event) (arrows []arrow) {
	t.Helper()
	ordered := slices.Clone(events)
	slices.SortStableFunc(ordered, func(a, b event) int {
		switch {
		case *a.Ts < *b.Ts:
			return -1
		case *a.Ts > *b.Ts:
			return 1
		}
		return 0
	})
	ns := func(us float64) int64 { return int64(us*1000 + 0.5) }
	type slice struct {
		name       string
		began, end int64
	}
	open := map[uint64][]slice{}
	starts := map[uint64]arrow{}
	ended := map[uint64]bool{}
	for _, e := range ordered {
		at, line := ns(*e.Ts), *e.Tid
		stack := open[line]
		require.GreaterOrEqual(t, at, int64(0))
		for len(stack) > 0 && stack[len(stack)-1].end <= at && stack[len(stack)-1].began < at {
			stack = stack[:len(stack)-1]
		}
		switch e.Ph {
		case "M":
			continue
		case "X":
			s := slice{e.Name, at, at + ns(*e.Dur)}
			for len(stack) > 0 && stack[len(stack)-1].end <= at && s.end > at {
				stack = stack[:len(stack)-1] // it was of no length
			}
			if len(stack) > 0 {
				require.LessOrEqual(t, s.end, stack[len(stack)-1].end, "%s crosses %s", s.name, stack[len(stack)-1].name)
			}
			open[line] = append(stack, s)
			continue
		}
		require.NotEmpty(t, stack, "an arrow's end without a slice: %+v", e)
		require.NotZero(t, e.ID)
		require.Equal(t, "send send", e.Name+" "+e.Cat)
		top := stack[len(stack)-1].name
		switch e.Ph {
		case "s":
			require.NotContains(t, starts, e.ID)
			require.Empty(t, e.BP)
			starts[e.ID] = arrow{from: top, sent: *e.Ts / 1e6}
		case "f":
			require.Contains(t, starts, e.ID, "an arrow that comes before it was sent")
			require.False(t, ended[e.ID])
			require.Equal(t, "e", e.BP)
			ended[e.ID] = true
			a := starts[e.ID]
			a.to, a.came = top, *e.Ts/1e6
			arrows = append(arrows, a)
		default:
			require.Fail(t, "a phase that is not known", e.Ph)
		}
	}
	require.Len(t, ended, len(starts), "arrows that do not arrive")
	return arrows
}

func arrowsOf(t *testing.T, recorders ...*evflight.Recorder) []arrow {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, evflight.Write(&buf, recorders...))
	var trace struct{ TraceEvents []event }
	require.NoError(t, json.Unmarshal(buf.Bytes(), &trace))
	all := parse(t, trace.TraceEvents)
	for i := range all { // without the line's number
		if name, at, ok := strings.Cut(all[i].from, " ("); ok {
			require.Regexp(t, `^arrows_test\.go:\d+\)$`, at)
			all[i].from = name
		}
	}
	return all
}

func TestAnArrowLeadsFromASendToItsCallback(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		defer r.Stop()
		busy := ev.NewTimer(l, time.Second, 0, func(*ev.Timer) { time.Sleep(3 * time.Second) }, ev.Name("busy"))
		busy.Start()
		door := ev.NewAsync(l, func(a *ev.Async) {}, ev.Name("door"))
		door.Start()
		var got []int
		queue := ev.NewQueue(l, 0, func(_ *ev.Queue[int], batch []int) { got = append(got, batch...) }, ev.Name("queue"))
		queue.Start()
		go func() {
			time.Sleep(2 * time.Second)
			door.Send() // the loop is busy until 4
			time.Sleep(time.Second)
			door.Send() // the same request
			_ = queue.Send(1)
			_ = queue.Send(2)
			_ = l.Post(func() {})
			time.Sleep(3 * time.Second)
			door.Send() // the loop sleeps
			time.Sleep(time.Second)
			_, err := ev.Call(context.Background(), l, func() (int, error) { return 1, nil })
			assert.NoError(t, err)
			_ = l.Post(func() { door.Stop(); queue.Stop() })
		}()
		require.NoError(t, l.Run(context.Background()))
		assert.Equal(t, []int{1, 2}, got)
		all := arrowsOf(t, r)
		for i := range all {
			assert.True(t, strings.HasPrefix(all[i].from, "evflight_test.TestAnArrowLeads"), all[i].from)
			all[i].from = ""
			all[i].to, _, _ = strings.Cut(all[i].to, " evflight_test") // the name of a posted function
		}
		require.Len(t, all, 6)
		for i, of := range []string{2: "Post", 4: "Call", 5: "Post"} {
			if of != "" {
				assert.True(t, strings.HasPrefix(all[i].to, of), all[i].to)
				all[i].to = of
			}
		}
		assert.Equal(t, []arrow{
			{"", "Async door", 2, 4}, {"", "Queue queue", 3, 4}, {"", "Post", 3, 4},
			{"", "Async door", 6, 6}, {"", "Call", 7, 7}, {"", "Post", 7, 7},
		}, all)
	})
}

func TestNoArrowLeadsToACallbackThatNobodySentFor(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		door := ev.NewAsync(l, func(a *ev.Async) {}, ev.Name("door"))
		door.Start()
		door.Send() // before the recording
		r := evflight.Start(l, 100)
		require.NoError(t, l.RunNoWait())
		assert.Empty(t, arrowsOf(t, r))

		door.Send() // forgotten
		door.Stop()
		door.Start()
		require.NoError(t, l.RunNoWait())
		door.Send()
		require.NoError(t, l.RunNoWait())
		require.Len(t, arrowsOf(t, r), 1)

		door.Feed(ev.AsyncEvent)
		timer(l, 0, 0, "timer")
		require.NoError(t, l.RunNoWait())
		assert.Len(t, arrowsOf(t, r), 1)

		r.Stop()
		door.Send()
		require.NoError(t, l.RunNoWait())
		assert.Len(t, arrowsOf(t, r), 1)
	})
}

// Hundreds of watchers, more than there are notes at first, that start and stop while others send:
// each callback of an Async has one arrow, unless a Start has forgotten an earlier Send right
// before.
func TestArrowsOfManySendersAndWatchers(t *testing.T) {
	l, err := ev.New(ev.WithName("main"))
	require.NoError(t, err)
	defer l.Close()
	const watchers, rounds, senders = 300, 20, 4
	r := evflight.Start(l, 10*watchers*rounds)
	defer r.Stop()
	doors := make([]*ev.Async, watchers)
	calls, restarts := 0, 0
	for i := range doors {
		doors[i] = ev.NewAsync(l, func(*ev.Async) { calls++ }, ev.Name(fmt.Sprint(i)))
		doors[i].Start()
	}
	require.NoError(t, l.RunNoWait()) // now the loop has notes for all
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range rounds * watchers {
				doors[(i*7+s)%watchers].Send()
				if i%50 == 0 {
					assert.NoError(t, l.Post(func() { doors[s].Stop(); doors[s].Start(); restarts++ }))
				}
			}
		})
	}
	all.Wait()
	_, err = ev.Call(ctx, l, func() (int, error) { return 0, nil })
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	arrows := map[string]int{}
	for _, a := range arrowsOf(t, r) {
		kind, _, _ := strings.Cut(a.to, " ")
		arrows[kind]++
	}
	assert.LessOrEqual(t, arrows["Async"], calls)
	assert.GreaterOrEqual(t, arrows["Async"], calls-restarts, "of a Send right after Start none may be known")
	assert.Greater(t, arrows["Async"], calls/2)
}
