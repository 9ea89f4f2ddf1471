package evmeter_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// running makes a loop that runs until the test ends.
func running(t testing.TB, setUp func(l *ev.Loop)) *ev.Loop {
	t.Helper()
	l, err := ev.New()
	require.NoError(t, err)
	l.Ref() // what setUp starts may be weak
	setUp(l)
	done := make(chan error)
	go func() { done <- l.Run(context.Background()) }()
	t.Cleanup(func() {
		l.Stop()
		require.NoError(t, <-done)
		assert.NoError(t, l.Verify())
		require.NoError(t, l.Close())
	})
	require.NoError(t, evmeter.Ping(context.Background(), l))
	return l
}

func inspect(t testing.TB, l *ev.Loop) evmeter.Inspection {
	t.Helper()
	in, err := evmeter.Inspect(context.Background(), l)
	require.NoError(t, err)
	return in
}

// sleepers starts n timers with names of their own.
func sleepers(l *ev.Loop, n int) {
	fn := func(*ev.Timer) {}
	for i := range n {
		ev.NewTimer(l, time.Hour, 0, fn, ev.Name(fmt.Sprint("sleeper ", i))).Start()
	}
}

// The bound, by counts: see walk_test.go for how many each part handles.
func TestTheLoopDoesItsOtherWorkBetweenTheParts(t *testing.T) {
	const parts = 20
	ticks := 0
	l := running(t, func(l *ev.Loop) {
		sleepers(l, parts*evmeter.PartSize-1)
		ev.NewIdle(l, func(*ev.Idle) { ticks++ }).Start()
	})
	state := func() (n int, iteration uint64) {
		_, err := ev.Call(context.Background(), l, func() (any, error) { n, iteration = ticks, l.Iteration(); return nil, nil })
		require.NoError(t, err)
		return n, iteration
	}
	ticksBefore, before := state()
	in := inspect(t, l)
	ticksAfter, after := state()
	assert.GreaterOrEqual(t, after-before, uint64(parts), "each part is in an iteration of its own")
	if runtime.GOARCH != "wasm" { // one thread: the next part is there before an iteration has nothing to do
		assert.GreaterOrEqual(t, ticksAfter-ticksBefore, parts-1, "and all are served")
	}
	assert.Equal(t, parts*evmeter.PartSize-evmeter.MaxGroups, in.Active[evmeter.MaxGroups].Count)
}

func TestOfManyGroupsTheMostNumerousAreListedAndTheOthersCounted(t *testing.T) {
	const singles = 5 * evmeter.MaxGroups
	l := running(t, func(l *ev.Loop) {
		sleepers(l, singles)
		for w := range l.Watchers() {
			w.Keep(false)
		}
		timer(l, time.Hour, 0, "zebra") // the only one that keeps Run going: it is listed, though its name comes last
		for range 3 {
			timer(l, time.Hour, 0, "three")
		}
		for range 2 {
			ev.NewAsync(l, func(*ev.Async) {}, ev.Name("two"), ev.Priority(1)).Start()
		}
	})
	in := inspect(t, l)
	require.Len(t, in.Active, evmeter.MaxGroups+1)
	assert.LessOrEqual(t, cap(in.Active), 3*evmeter.MaxGroups, "never were all of them in the list")
	type row struct {
		name                     string
		priority, count, keeping int
	}
	var first []row
	for _, a := range in.Active[:4] {
		first = append(first, row{a.Name, a.Priority, a.Count, a.Keeping})
	}
	assert.Equal(t, []row{{"three", 0, 3, 3}, {"two", 1, 2, 2}, {"zebra", 0, 1, 1}, {"sleeper 0", 0, 1, 0}}, first)
	assert.Equal(t, singles+3-evmeter.MaxGroups, in.More)
	assert.Equal(t, evmeter.Active{Kind: "others", Count: in.More}, in.Active[evmeter.MaxGroups])
}

func TestKeepersAreCountedAlsoWhereTheyAreNotListed(t *testing.T) {
	for _, more := range []int{0, 1, evmeter.MaxGroups + 1} {
		in := inspect(t, running(t, func(l *ev.Loop) { sleepers(l, evmeter.MaxGroups+more) }))
		count, keeping := 0, 0
		for _, a := range in.Active {
			count, keeping = count+a.Count, keeping+a.Keeping
		}
		assert.Equal(t, []int{evmeter.MaxGroups + more, evmeter.MaxGroups + more, more}, []int{count, keeping, in.More})
		assert.Len(t, in.Active, evmeter.MaxGroups+min(1, more))
	}
}

func TestInspectAndPingAreNotSeen(t *testing.T) {
	l := running(t, func(l *ev.Loop) { sleepers(l, 3*evmeter.PartSize) })
	m := evmeter.On(l)
	for range 10 {
		inspect(t, l)
		require.NoError(t, evmeter.Ping(context.Background(), l))
	}
	r := m.Read()
	assert.Empty(t, r.Sources)
	assert.Empty(t, r.Slowest)
	assert.Zero(t, r.Callback.Count)
	assert.Empty(t, r.InProgress)
	assert.Equal(t, [evmeter.Levels]evmeter.Depth{}, r.Pending)
}

// A Run may end before it has answered.
func TestALoopThatWasAskedAsItsRunEndedIsNotAlive(t *testing.T) {
	for name, ask := range map[string]func(context.Context, *ev.Loop) error{
		"Inspect": func(ctx context.Context, l *ev.Loop) error { _, err := evmeter.Inspect(ctx, l); return err },
		"Ping":    evmeter.Ping,
	} {
		synctest.Test(t, func(t *testing.T) {
			l, err := ev.New(ev.WithBackend(ev.BackendChan))
			require.NoError(t, err)
			defer l.Close()
			asked := make(chan error)
			timer(l, time.Hour, 0, "")
			require.NoError(t, l.Post(func() {
				go func() { asked <- ask(context.Background(), l) }()
				synctest.Wait() // it waits for an answer
				for w := range l.Watchers() {
					w.Stop()
				}
				l.Stop()
			}))
			run(t, l)
			assert.False(t, l.Alive(), name)
			run(t, l)
			require.NoError(t, <-asked, name)
		})
	}
}

func TestInspectGivesUpWithItsContextAndTheLoop(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	sleepers(l, 2*evmeter.PartSize)
	ctx, cancel := context.WithCancel(context.Background())
	asked := make(chan error)
	go func() { _, err := evmeter.Inspect(ctx, l); asked <- err }()
	cancel()
	assert.ErrorIs(t, <-asked, context.Canceled)
	go func() { _, err := evmeter.Inspect(context.Background(), l); asked <- err }()
	go func() { asked <- evmeter.Ping(context.Background(), l) }()
	runtime.Gosched()
	require.NoError(t, l.Close())
	assert.ErrorIs(t, <-asked, ev.ErrClosed)
	assert.ErrorIs(t, <-asked, ev.ErrClosed)
}

// Between the parts, watchers start, stop and fire.
func TestInspectWhileWatchersComeAndGo(t *testing.T) {
	l := running(t, func(l *ev.Loop) {
		for range 4 * evmeter.PartSize {
			ev.NewPrepare(l, func(*ev.Prepare) {}, ev.Name("stays")).Start()
		}
		var last []*ev.Timer
		ev.NewIdle(l, func(*ev.Idle) {
			for _, w := range last {
				w.Stop()
			}
			last = last[:0]
			for range 50 {
				last = append(last, timer(l, time.Microsecond, 0, "goes"))
			}
		}).Start()
	})
	for range 20 {
		in := inspect(t, l)
		assert.Equal(t, "stays", in.Active[0].Name)
		assert.Equal(t, 4*evmeter.PartSize, in.Active[0].Count, "these do not change places")
	}
}

func TestAPingOfANilLoopIsNamed(t *testing.T) {
	assert.PanicsWithValue(t, "evmeter: Ping: nil loop", func() { _ = evmeter.Ping(context.Background(), nil) })
	assert.PanicsWithValue(t, "evmeter: Stacks: nil loop", func() { evmeter.Stacks(nil) })
}

func TestTheStacksOfSeveralLoops(t *testing.T) {
	stuck, idle := running(t, func(*ev.Loop) {}), running(t, func(*ev.Loop) {})
	began, end := make(chan bool), make(chan bool)
	require.NoError(t, stuck.Post(func() { close(began); standstill(end) }))
	<-began
	defer close(end)
	stopped, err := ev.New()
	require.NoError(t, err)
	defer stopped.Close()
	stacks := evmeter.Stacks(stopped, stuck, idle)
	assert.Empty(t, stacks[0])
	assert.Contains(t, stacks[1], "standstill")
	assert.Contains(t, stacks[2], "Run")
	assert.NotContains(t, stacks[2], "standstill")
	assert.Equal(t, []string{""}, evmeter.Stacks(stopped))
}

func standstill(end <-chan bool) { <-end }
