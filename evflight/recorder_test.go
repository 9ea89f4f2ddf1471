package evflight_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
)

// event is an event in the JSON format.
type event struct {
	Name string
	Cat  string
	Ph   string
	Ts   *float64
	Dur  *float64
	Pid  *int
	Tid  *uint64
	ID   uint64
	BP   string
	Args map[string]any
}

func written(t *testing.T, recorders ...*evflight.Recorder) (slices []event, threads map[uint64]string) {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, evflight.Write(&buf, recorders...))
	var trace struct{ TraceEvents []event }
	require.NoError(t, json.Unmarshal(buf.Bytes(), &trace))
	parse(t, trace.TraceEvents)
	threads = make(map[uint64]string)
	for _, e := range trace.TraceEvents {
		require.NotNil(t, e.Ts)
		require.NotNil(t, e.Dur)
		require.NotNil(t, e.Pid)
		require.NotNil(t, e.Tid)
		switch {
		case e.Ph == "X" && e.Cat != "send":
			slices = append(slices, e)
		case e.Name == "thread_name" && !strings.HasSuffix(e.Args["name"].(string), ": senders"):
			threads[*e.Tid] = e.Args["name"].(string)
		}
	}
	return slices, threads
}

// described is slices in words, times in seconds.
func described(slices []event) (all []string) {
	for _, e := range slices {
		all = append(all, fmt.Sprintf("%s %v+%v", e.Name, *e.Ts/1e6, *e.Dur/1e6))
	}
	return all
}

func inBubble(t *testing.T, test func(t *testing.T, l *ev.Loop)) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan), ev.WithName("main"))
		require.NoError(t, err)
		defer l.Close()
		test(t, l)
	})
}

func timer(l *ev.Loop, after, work time.Duration, name string) {
	ev.NewTimer(l, after, 0, func(*ev.Timer) { time.Sleep(work) }, ev.Name(name)).Start()
}

func TestCallbacksAndSleepsAreWritten(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		timer(l, time.Second, 2*time.Second, "slow")
		timer(l, 2*time.Second, time.Second, "late")
		require.NoError(t, l.Run(context.Background()))
		r.Stop()
		timer(l, 0, 0, "after Stop")
		require.NoError(t, l.Run(context.Background()))
		slices, threads := written(t, r)
		assert.Equal(t, []string{"sleep 0+1", "Timer slow 1+2", "Timer late 3+1"}, described(slices))
		assert.Equal(t, map[uint64]string{l.ID(): "main"}, threads)
		assert.Equal(t, "a timer, a descriptor, or nothing", slices[0].Args["woken_by"])
		assert.EqualValues(t, 0, slices[1].Args["late_us"])
		assert.EqualValues(t, 1e6, slices[2].Args["late_us"])
	})
}

func TestOnlyTheLastEventsAreKept(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 3)
		for i := range 10 {
			timer(l, 0, time.Second, fmt.Sprint(i))
		}
		require.NoError(t, l.Run(context.Background()))
		slices, _ := written(t, r)
		assert.Equal(t, []string{"Timer 7 0+1", "Timer 8 1+1", "Timer 9 2+1"}, described(slices))
	})
}

func TestNestedCallbacksLieInsideTheOuterOne(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			timer(l, 0, time.Second, "inner")
			require.NoError(t, l.Run(context.Background()))
		}, ev.Name("outer")).Start()
		require.NoError(t, l.Run(context.Background()))
		slices, _ := written(t, r)
		assert.Equal(t, []string{"Timer outer 0+1", "Timer inner 0+1"}, described(slices))
	})
}

func TestAStuckCallbackIsWrittenAsFarAsItCame(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		timer(l, 0, time.Hour, "stuck")
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(time.Minute)
		slices, _ := written(t, r)
		assert.Equal(t, []string{"Timer stuck 0+60"}, described(slices))
		assert.Equal(t, map[string]any{"unfinished": true, "late_us": 0.0}, slices[0].Args)
		require.NoError(t, <-done)
	})
}

func TestASleepInProgressIsWrittenAsFarAsItCame(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			timer(l, time.Hour, 0, "inner")
			assert.NoError(t, l.Run(context.Background()))
		}, ev.Name("outer")).Start()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(time.Minute)
		slices, _ := written(t, r)
		assert.Equal(t, []string{"Timer outer 0+60", "sleep 0+60"}, described(slices))
		assert.Equal(t, map[string]any{"unfinished": true}, slices[1].Args)

		r.Stop()
		time.Sleep(time.Minute)
		slices, _ = written(t, r)
		assert.Equal(t, []string{"Timer outer 0+60", "sleep 0+60"}, described(slices), "nothing is known of after Stop")
		require.NoError(t, <-done)
		slices, _ = written(t, r)
		assert.Len(t, slices, 2)
		assert.NotContains(t, slices[0].Args, "unfinished")
	})
}

func TestATimerThatWasStoppedAfterItExpiredIsNotLateWhenItIsFedLater(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		victim := ev.NewTimer(l, time.Second, 0, func(*ev.Timer) {}, ev.Name("victim"))
		stop := func(after time.Duration) {
			victim.Stop()
			require.NoError(t, victim.Set(after, 0))
			ev.NewTimer(l, after, 0, func(*ev.Timer) { victim.Stop() }, ev.Name("stop"), ev.Priority(1)).Start()
			victim.Start()
		}
		stop(time.Second)
		ev.NewTimer(l, time.Minute, 0, func(*ev.Timer) { victim.Feed(ev.TimerEvent) }, ev.Name("feed")).Start()
		require.NoError(t, l.Run(context.Background())) // in between, it parks …

		stop(time.Second)
		require.NoError(t, l.Run(context.Background()))
		time.Sleep(time.Minute)
		victim.Feed(ev.TimerEvent)
		require.NoError(t, l.RunNoWait()) // … or another Run comes
		late := map[string][]any{}
		slices, _ := written(t, r)
		for _, e := range slices {
			if e.Cat == "callback" {
				late[e.Name] = append(late[e.Name], e.Args["late_us"])
			}
		}
		assert.Equal(t, map[string][]any{
			"Timer stop": {0.0, 0.0}, "Timer feed": {0.0}, "Timer victim": {nil, nil},
		}, late)
	})
}

func TestSeveralLoopsHaveALineEach(t *testing.T) {
	inBubble(t, func(t *testing.T, a *ev.Loop) {
		b, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer b.Close()
		ra, rb := evflight.Start(a, 10), evflight.Start(b, 10)
		timer(a, 0, time.Second, "a")
		require.NoError(t, a.Run(context.Background()))
		timer(b, -time.Second, time.Second, "b")
		require.NoError(t, b.Run(context.Background()))
		slices, threads := written(t, ra, rb)
		assert.Equal(t, []string{"Timer a 0+1", "Timer b 1+1"}, described(slices))
		assert.Equal(t, map[uint64]string{a.ID(): "main", b.ID(): fmt.Sprintf("loop %d", b.ID())}, threads)
	})
}

func TestASleepThatASendEndedSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 10)
		a := ev.NewAsync(l, func(a *ev.Async) { a.Stop() }, ev.Name("door"))
		a.Start()
		go func() { time.Sleep(time.Second); a.Send() }()
		require.NoError(t, l.Run(context.Background()))
		slices, _ := written(t, r)
		assert.Equal(t, []string{"sleep 0+1", "Async door 1+0"}, described(slices))
		assert.Equal(t, "a send", slices[0].Args["woken_by"])
	})
}

func TestAnEmptyRecordingIsATrace(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		slices, _ := written(t, evflight.Start(l, 1))
		assert.Empty(t, slices)
	})
}

type broken struct{}

var errBroken = errors.New("broken")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestBadArgumentsAndWritersAreNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		assert.PanicsWithValue(t, "evflight: Start: nil loop", func() { evflight.Start(nil, 1) })
		assert.PanicsWithValue(t, "evflight: Start: cannot keep 0 events", func() { evflight.Start(l, 0) })
		assert.PanicsWithValue(t, "evflight: Write: nil recorder", func() { _ = evflight.Write(&bytes.Buffer{}, nil) })
		assert.ErrorIs(t, evflight.Write(broken{}, evflight.Start(l, 1)), errBroken)
	})
}
