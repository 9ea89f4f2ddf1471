package evdebug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
	"github.com/goevlib/ev/evmeter"
)

// inBubble runs test with a running loop in virtual time, and then stops the loop.
func inBubble(t *testing.T, test func(t *testing.T, l *ev.Loop, h http.Handler)) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan), ev.WithName("bubble"))
		require.NoError(t, err)
		defer l.Close()
		l.Ref()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		synctest.Wait()
		test(t, l, evdebug.Handler())
		l.Stop()
		require.NoError(t, <-done)
	})
}

func onLoop(t *testing.T, l *ev.Loop, fn func()) {
	t.Helper()
	_, err := ev.Call(context.Background(), l, func() (any, error) { fn(); return nil, nil })
	require.NoError(t, err)
}

func sleepers(l *ev.Loop, n int, name string) {
	fn := func(*ev.Timer) {}
	for i := range n {
		ev.NewTimer(l, time.Hour, 0, fn, ev.Name(fmt.Sprint(name, i))).Start()
	}
}

// listOf decodes the JSON of the list.
func listOf(t *testing.T, h http.Handler) (states map[string]string) {
	t.Helper()
	var list struct {
		Loops []struct{ Name, State string }
	}
	require.NoError(t, json.Unmarshal(get(h, "/?format=json").Body.Bytes(), &list))
	states = make(map[string]string)
	for _, l := range list.Loops {
		states[l.Name] = l.State
	}
	return states
}

func TestThePageItselfIsNotOnThePage(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		for range 20 {
			get(h, pathOf(l))
			get(h, "/")
			time.Sleep(time.Second)
		}
		r := read(t, h, l)
		require.NotNil(t, r.Inspection)
		assert.Empty(t, r.Sources)
		assert.Empty(t, r.Slowest)
		assert.Zero(t, r.Callback.Count)
	})
}

// Each part is answered between two callbacks of 50 ms. All parts take longer than a page waits,
// but the loop is not stuck.
func TestALoopThatAnswersInManyPartsIsNotStuck(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		onLoop(t, l, func() {
			sleepers(l, 20*evmeter.PartSize, "connection ")
			ev.NewIdle(l, func(*ev.Idle) { time.Sleep(50 * time.Millisecond) }, ev.Name("work")).Start()
		})
		time.Sleep(time.Second)
		began := time.Now()
		r := read(t, h, l)
		assert.Equal(t, "busy", r.State)
		assert.Nil(t, r.Inspection, "not all of it is there")
		assert.Empty(t, r.Stack)
		assert.LessOrEqual(t, time.Since(began), 250*time.Millisecond)
		assert.Equal(t, "busy", listOf(t, h)["bubble"])
		time.Sleep(2 * time.Second)
		r = read(t, h, l)
		assert.Equal(t, "busy", r.State)
		require.NotNil(t, r.Inspection)
		assert.Len(t, r.Inspection.Active, evmeter.MaxGroups+1)
		assert.Equal(t, 20*evmeter.PartSize+1-evmeter.MaxGroups, r.Inspection.More)
		body := get(h, pathOf(l)).Body.String()
		assert.Contains(t, body, `And 19 901 more groups: <a href="?format=json">JSON</a> has 1 000.`)
		assert.Contains(t, body, "because of\n<b>20\u202f001</b>")
	})
}

// The list only checks whether the loops answer.
func TestTheListAsksForNoWatchers(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		onLoop(t, l, func() {
			sleepers(l, 5*evmeter.PartSize, "connection ")
			ev.NewIdle(l, func(*ev.Idle) { time.Sleep(10 * time.Millisecond) }).Start()
		})
		for range 5 {
			assert.Equal(t, "busy", listOf(t, h)["bubble"])
			time.Sleep(time.Second)
		}
		l.Stop()
		synctest.Wait()
		time.Sleep(time.Second) // it ends between two callbacks
		assert.Nil(t, read(t, h, l).Inspection, "nobody has asked for it so far")
	})
}

func TestAnswersAreOfBoundedSize(t *testing.T) {
	l, h := loop(t, strings.Repeat("loop é", 10_000)), evdebug.Handler()
	get(h, pathOf(l))
	long := strings.Repeat("connection é", 100)
	for i := range 2 * evmeter.MaxSources {
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name(fmt.Sprint(i, long))).Start()
	}
	require.NoError(t, l.Run(context.Background()))
	sleepers(l, 3*evmeter.MaxGroups, long)
	run(t, l)
	var r report
	require.Eventually(t, func() bool { r = read(t, h, l); return r.Inspection != nil }, time.Minute, time.Millisecond)
	assert.Len(t, r.Inspection.Active, evmeter.MaxGroups+1)
	assert.Len(t, r.Sources, evmeter.MaxSources+1)
	for _, name := range []string{r.Name, r.Sources[0].Name, r.Slowest[0].Source.Name, r.Inspection.Active[0].Name} {
		assert.Less(t, len(name), 250)
		assert.NotContains(t, name, "\uFFFD", "cut between two characters")
	}
	for path, most := range map[string]int{"": 500_000, "?format=json": 2_000_000} {
		assert.Less(t, get(h, pathOf(l)+path).Body.Len(), most)
		assert.Less(t, get(h, "/"+path).Body.Len(), 10_000)
	}
}

// The page of a stuck loop leaves nothing behind in the loop.
func TestALoopThatWasStoppedDuringAQuestionIsNotAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer l.Close()
		h := evdebug.Handler()
		require.NoError(t, l.Post(func() {
			time.Sleep(time.Minute)
			l.Stop()
		}))
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		for range 5 {
			time.Sleep(time.Second)
			assert.Equal(t, "stuck", read(t, h, l).State)
			get(h, "/")
		}
		require.NoError(t, <-done)
		assert.False(t, l.Alive())
		assert.Equal(t, "stopped", read(t, h, l).State)
		assert.False(t, l.Alive())
	})
}

func TestTheSlowestOfTheLastSecondsMayBeInProgress(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		get(h, pathOf(l))
		require.NoError(t, l.Post(func() { time.Sleep(10 * time.Second) }))
		time.Sleep(250 * time.Millisecond)
		assert.Equal(t, 250*time.Millisecond, read(t, h, l).Recent.Slowest, "before the second is over")
		time.Sleep(9 * time.Second)
		r := read(t, h, l)
		assert.Equal(t, "stuck", r.State)
		assert.Greater(t, r.Recent.Slowest, 9*time.Second)
		assert.Contains(t, get(h, pathOf(l)).Body.String(), "<dt>Slowest callback</dt><dd>9.")
	})
}

// Reading stacks stops the process. It is rare for any number of viewers and loops, and though the
// loops answer in between.
func TestStacksAreTakenEveryTenSecondsAtMostForAllLoopsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := evdebug.Handler()
		const n = 3
		var loops [n]*ev.Loop
		over, done := make(chan bool), make(chan error)
		for i := range loops {
			l, err := ev.New(ev.WithBackend(ev.BackendChan))
			require.NoError(t, err)
			defer l.Close()
			loops[i] = l
			l.Ref()
			ev.NewIdle(l, func(*ev.Idle) { hang(over) }).Start() // stuck again and again
			go func() { done <- l.Run(context.Background()) }()
		}
		taken, shown := make(map[time.Time]bool), 0
		for range 12 {
			for _, l := range loops {
				if r := read(t, h, l); r.Stack != "" {
					taken[r.StackAt] = true
					shown++
					assert.Contains(t, r.Stack, "evdebug_test.hang(")
				}
			}
			time.Sleep(time.Second)
		}
		assert.Len(t, taken, 2)
		assert.Greater(t, shown, n)
		for _, l := range loops {
			l.Stop()
		}
		close(over)
		for range loops {
			require.NoError(t, <-done)
		}
	})
}

// hang holds up a loop for 900 ms.
func hang(over <-chan bool) {
	select {
	case <-over:
	case <-time.After(900 * time.Millisecond):
	}
}

// Viewers share a stack for ten seconds, unless the loop has answered since.
func TestAStackFromBeforeTheLoopAnsweredIsNotShown(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		first, second := make(chan bool), make(chan bool)
		require.NoError(t, l.Post(func() { <-first }))
		r := read(t, h, l)
		assert.Contains(t, r.Stack, "look_test.go")
		at := r.StackAt
		time.Sleep(time.Second)
		assert.Equal(t, at, read(t, h, l).StackAt, "the same one")
		assert.Contains(t, get(h, pathOf(l)).Body.String(), "stacks are taken every ten seconds at most")
		close(first)
		synctest.Wait()
		assert.Equal(t, "parked", read(t, h, l).State)
		require.NoError(t, l.Post(func() { <-second }))
		time.Sleep(time.Second) // until then the last answer is good
		r = read(t, h, l)
		assert.Equal(t, "stuck", r.State)
		assert.Empty(t, r.Stack)
		time.Sleep(stackEvery)
		r = read(t, h, l)
		assert.NotEmpty(t, r.Stack)
		assert.True(t, r.StackAt.After(at))
		close(second)
	})
}

const stackEvery = 10 * time.Second
