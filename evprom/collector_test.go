package evprom_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
	"github.com/goevlib/ev/evprom"
)

func newLoop(t *testing.T, opts ...ev.LoopOption) *ev.Loop {
	t.Helper()
	l, err := ev.New(opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// inBubble runs test in virtual time, where work that sleeps for a second takes one exactly.
func inBubble(t *testing.T, test func(t *testing.T, l *ev.Loop)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, newLoop(t, ev.WithBackend(ev.BackendChan), ev.WithName("main")))
	})
}

func timer(l *ev.Loop, after, work time.Duration, name string, opts ...ev.Option) {
	ev.NewTimer(l, after, 0, func(*ev.Timer) { time.Sleep(work) }, append(opts, ev.Name(name))...).Start()
}

func run(t *testing.T, l *ev.Loop) {
	t.Helper()
	require.NoError(t, l.Run(context.Background()))
}

func TestTheLinterOfPrometheusFindsNothing(t *testing.T) {
	l := newLoop(t)
	timer(l, 0, 0, "a")
	run(t, l)
	registry := newRegistry(t)
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	assert.Empty(t, problems)
	n, err := testutil.GatherAndCount(registry)
	require.NoError(t, err)
	assert.Greater(t, n, 15)
}

func TestAScrapeOverHTTPHasTheFiguresOfTheLoop(t *testing.T) {
	l := newLoop(t, ev.WithName("main"), ev.WithWakeup(ev.WakeWrite))
	url := newServer(t)
	scrape(t, url) // from now on it is measured
	for range 5 {
		timer(l, time.Millisecond, 0, "tick")
	}
	require.NoError(t, l.Post(func() {}))
	run(t, l)
	wakes := 0
	door := ev.NewAsync(l, func(a *ev.Async) {
		if wakes++; wakes == 3 {
			a.Stop()
		}
	}, ev.Name("door"))
	door.Start()
	done := make(chan error)
	go func() { done <- l.Run(context.Background()) }()
	for range 3 {
		untilParked(t, l, door) // nothing else wakes it
		door.Send()
	}
	require.NoError(t, <-done)

	got, stats := scrape(t, url), l.Stats()
	for name, want := range map[string]uint64{
		`ev_loop_iterations_total{loop="main"}`:             stats.Iterations,
		`ev_loop_parks_total{loop="main"}`:                  stats.Parks,
		`ev_loop_wakeups_total{loop="main",via="write"}`:    stats.FDWrites,
		`ev_loop_wakeups_total{loop="main",via="direct"}`:   stats.DirectWakes,
		`ev_loop_requests_collected_total{loop="main"}`:     stats.Collected,
		`ev_loop_interest_changes_total{loop="main"}`:       stats.InterestChanges,
		`ev_loop_timerfd_sets_total{loop="main"}`:           stats.TimerfdSets,
		`ev_loop_callbacks_total{loop="main"}`:              9,
		`ev_loop_watchers_active{loop="main"}`:              0,
		`ev_loop_callbacks_pending{loop="main"}`:            0,
		`ev_loop_running{loop="main"}`:                      0,
		`ev_loop_parked{loop="main"}`:                       0,
		`ev_loop_callback_in_progress_seconds{loop="main"}`: 0,

		`ev_loop_callback_duration_seconds_count{loop="main"}`:             9,
		`ev_loop_callback_duration_seconds_bucket{loop="main",le="+Inf"}`:  9,
		`ev_loop_timer_lag_seconds_count{loop="main"}`:                     5,
		`ev_callback_calls_total{kind="Async",loop="main",watcher="door"}`: 3,
		`ev_callback_calls_total{kind="Timer",loop="main",watcher="tick"}`: 5,
	} {
		if assert.Contains(t, got, name) {
			assert.EqualValues(t, want, got[name], name)
		}
	}
	assert.EqualValues(t, 9, stats.Callbacks)
	assert.GreaterOrEqual(t, stats.FDWrites, uint64(1))
	assert.GreaterOrEqual(t, got[`ev_loop_wakeup_latency_seconds_count{loop="main"}`], 1.0)
	assert.LessOrEqual(t, got[`ev_loop_busy_seconds_total{loop="main"}`], got[`ev_loop_observed_seconds_total{loop="main"}`])
	posts := got.with(`ev_callback_calls_total{kind="Post"`)
	require.Len(t, posts, 1)
	assert.Regexp(t, `watcher="collector_test.go:\d+"`, posts[0])
}

// untilParked waits until the loop sleeps with the request collected.
func untilParked(t *testing.T, l *ev.Loop, a *ev.Async) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !l.Parked() || a.Sent(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "the loop does not park")
	}
}

func TestTimesAreInSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		registry := newRegistry(t)
		gather(t, registry)
		timer(l, time.Second, 3*time.Second, "work")
		timer(l, time.Second, 0, "late")
		run(t, l)
		time.Sleep(4 * time.Second)
		got := gather(t, registry)
		for name, want := range map[string]float64{
			`ev_loop_observed_seconds_total{loop="main"}`:                         8,
			`ev_loop_busy_seconds_total{loop="main"}`:                             3,
			`ev_callback_seconds_total{kind="Timer",loop="main",watcher="work"}`:  3,
			`ev_callback_seconds_total{kind="Timer",loop="main",watcher="late"}`:  0,
			`ev_loop_callback_duration_seconds_sum{loop="main"}`:                  3,
			`ev_loop_timer_lag_seconds_sum{loop="main"}`:                          3,
			`ev_loop_timer_lag_seconds_bucket{loop="main",le="1e-06"}`:            1,
			`ev_loop_timer_lag_seconds_bucket{loop="main",le="2.097152"}`:         1,
			`ev_loop_timer_lag_seconds_bucket{loop="main",le="4.194304"}`:         2,
			`ev_loop_timer_lag_seconds_bucket{loop="main",le="8.388608"}`:         2,
			`ev_loop_callback_duration_seconds_bucket{loop="main",le="0.001024"}`: 1,
			`ev_loop_wakeup_latency_seconds_count{loop="main"}`:                   0,
		} {
			if assert.Contains(t, got, name) {
				assert.Equal(t, want, got[name], name)
			}
		}
	})
}

func TestALongTimeIsBeyondAllBucketsButCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		registry := newRegistry(t)
		gather(t, registry)
		timer(l, 0, time.Hour, "long")
		run(t, l)
		got := gather(t, registry)
		assert.EqualValues(t, 0, got[`ev_loop_callback_duration_seconds_bucket{loop="main",le="8.388608"}`])
		assert.EqualValues(t, 1, got[`ev_loop_callback_duration_seconds_count{loop="main"}`])
	})
}

func TestAStuckLoopAnswersAndShows(t *testing.T) {
	const (
		inProgress = `ev_loop_callback_in_progress_seconds{loop="main"}`
		running    = `ev_loop_running{loop="main"}`
		parked     = `ev_loop_parked{loop="main"}`
	)
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		registry := newRegistry(t)
		gather(t, registry)
		free := make(chan struct{})
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			<-free
			timer(l, 3*time.Minute, 0, "inner")            // from before it was stuck
			assert.NoError(t, l.Run(context.Background())) // parks, and is not stuck
		}, ev.Name("stuck")).Start()
		nested := 0
		l.Observe(&ev.Observer{Pass: func(l *ev.Loop, _ time.Time) {
			if l.Depth() == 2 { // awake, between two callbacks of the nested Run
				nested++
				got := gather(t, registry)
				assert.Equal(t, []float64{0, 1, 0}, []float64{got[inProgress], got[running], got[parked]})
			}
		}})
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(time.Minute)
		got := gather(t, registry)
		assert.Equal(t, []float64{60, 1, 0}, []float64{got[inProgress], got[running], got[parked]})
		assert.Contains(t, got, `ev_callback_calls_total{kind="Timer",loop="main",watcher="stuck"}`, "it has a series before it ends")

		close(free)
		time.Sleep(time.Minute)
		got = gather(t, registry)
		assert.Equal(t, []float64{0, 1, 1}, []float64{got[inProgress], got[running], got[parked]})
		require.NoError(t, <-done)
		assert.Equal(t, 1, nested)
		assert.Zero(t, gather(t, registry)[running])
	})
}

func TestCountersStandStillWhileNobodyScrapes(t *testing.T) {
	const observed, calls = `ev_loop_observed_seconds_total{loop="main"}`, `ev_callback_calls_total{kind="Timer",loop="main",watcher="tick"}`
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		registry := newRegistry(t)
		gather(t, registry)
		ev.NewTimer(l, time.Second, time.Second, func(*ev.Timer) {}, ev.Name("tick")).Start()
		go func() { _ = l.Run(context.Background()) }()
		time.Sleep(100*time.Second + time.Millisecond)
		first := gather(t, registry)
		time.Sleep(10 * evmeter.Linger)
		second := gather(t, registry)
		time.Sleep(10 * time.Second)
		third := gather(t, registry)
		linger := (evmeter.Linger).Seconds()
		assert.EqualValues(t, 100, first[calls])
		assert.InDelta(t, 100+linger, second[calls], 2)
		assert.InDelta(t, first[observed]+linger, second[observed], 2)
		assert.Equal(t, second[calls]+10, third[calls])
		l.Stop()
		synctest.Wait()
	})
}

func TestLoopsOfOneNameHaveLabelsOfTheirOwnAndKeepThem(t *testing.T) {
	registry := newRegistry(t)
	const parks = "ev_loop_parks_total"
	label := func(name string) string { return fmt.Sprintf("ev_loop_parks_total{loop=%q}", name) }
	first, second := newLoop(t, ev.WithName("worker")), newLoop(t, ev.WithName("worker"))
	newLoop(t, ev.WithName("worker 2")) // the label that the second worker would get otherwise
	timer(second, time.Millisecond, 0, "")
	run(t, second)
	got := gather(t, registry)
	assert.ElementsMatch(t, []string{label("worker"), label("worker 2"), label("worker 2 2")}, got.with(parks))
	assert.EqualValues(t, second.Stats().Parks, got[label("worker 2")])

	require.NoError(t, first.Close())
	got = gather(t, registry)
	assert.ElementsMatch(t, []string{label("worker 2"), label("worker 2 2")}, got.with(parks))
	assert.EqualValues(t, second.Stats().Parks, got[label("worker 2")], "it did not move up")

	newLoop(t, ev.WithName("worker"))
	got = gather(t, registry)
	assert.ElementsMatch(t, []string{label("worker"), label("worker 2"), label("worker 2 2")}, got.with(parks))
	assert.Zero(t, got[label("worker")])
}

func TestALoopWithoutANameHasItsID(t *testing.T) {
	l := newLoop(t)
	newLoop(t, ev.WithName(fmt.Sprint("loop ", l.ID()))) // a name that equals the label of a loop without a name
	assert.Equal(t, []string{
		fmt.Sprintf(`ev_loop_running{loop="loop %d 2"}`, l.ID()),
		fmt.Sprintf(`ev_loop_running{loop="loop %d"}`, l.ID()),
	}, gather(t, newRegistry(t)).with("ev_loop_running"))
}

func TestClosedLoopsVanish(t *testing.T) {
	registry := newRegistry(t)
	assert.Empty(t, gather(t, registry))
	l := newLoop(t)
	assert.NotEmpty(t, gather(t, registry))
	require.NoError(t, l.Close())
	assert.Empty(t, gather(t, registry))
}

func TestWatchersOfOneKindAndNameAreCountedTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		registry := newRegistry(t)
		gather(t, registry)
		timer(l, 0, time.Second, "a")
		timer(l, 0, 2*time.Second, "a", ev.Priority(1))
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { time.Sleep(4 * time.Second) }, ev.Name("a")).Start()
		ev.NewIdle(l, func(i *ev.Idle) { i.Stop() }, ev.Name("a")).Start()
		run(t, l)
		got := gather(t, registry)
		assert.Equal(t, []string{
			`ev_callback_calls_total{kind="Idle",loop="main",watcher="a"}`,
			`ev_callback_calls_total{kind="Timer",loop="main",watcher="a"}`,
		}, got.with("ev_callback_calls_total"))
		assert.EqualValues(t, 3, got[`ev_callback_calls_total{kind="Timer",loop="main",watcher="a"}`])
		assert.EqualValues(t, 7, got[`ev_callback_seconds_total{kind="Timer",loop="main",watcher="a"}`])
	})
}

func TestOfManyWatchersTheSlowestAreKeptApart(t *testing.T) {
	const others = `ev_callback_calls_total{kind="others",loop="main",watcher="others"}`
	name := func(i int) string {
		return fmt.Sprintf(`ev_callback_calls_total{kind="Timer",loop="main",watcher="%d"}`, i)
	}
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		registry := newRegistry(t)
		gather(t, registry)
		const many = evmeter.MaxSources + 50 // more than a Meter keeps apart
		for i := range many {
			timer(l, 0, time.Duration(i)*time.Millisecond, fmt.Sprint(i))
		}
		run(t, l)
		first := gather(t, registry)
		assert.Len(t, first.with("ev_callback_calls_total"), evprom.MaxWatchers+1)
		assert.EqualValues(t, many-evprom.MaxWatchers, first[others])
		kept := evmeter.MaxSources - 1 // the longest that the Meter keeps apart
		assert.Contains(t, first, name(kept))
		assert.Contains(t, first, name(kept-evprom.MaxWatchers+1))
		assert.NotContains(t, first, name(kept-evprom.MaxWatchers))

		timer(l, 0, time.Hour, "0") // now it is the longest of all
		run(t, l)
		second := gather(t, registry)
		assert.Equal(t, first.with("ev_callback_calls_total"), second.with("ev_callback_calls_total"))
		assert.Equal(t, first[others]+1, second[others])
	})
}

func TestHostileNamesAreExportedAndDoNotSpoilTheScrape(t *testing.T) {
	hostile := []string{
		"\xff\xfe", "\xff\xfe\xfd", "a\nb{c=\"d\"} 1\n# TYPE x counter", `back\slash "quote"`,
		"nul\x00", strings.Repeat("x", 1<<20), strings.Repeat("x", 1<<20) + "y", strings.Repeat("é", 1<<10) + "\xff", "x" + strings.Repeat("é", 1<<10), " ", "日本",
	}
	for _, name := range hostile {
		l := newLoop(t, ev.WithName(name))
		for _, watcher := range hostile {
			timer(l, 0, 0, watcher)
		}
	}
	url := newServer(t)
	scrape(t, url)
	for _, l := range ev.Loops() {
		run(t, l)
	}
	got := scrape(t, url)
	assert.Len(t, got.with("ev_loop_running"), len(hostile))
	calls := 0.0
	for _, name := range got.with("ev_callback_calls_total") {
		calls += got[name]
		assert.Less(t, len(name), 1<<10)
	}
	assert.EqualValues(t, len(hostile)*len(hostile), calls, "none is lost")
	assert.Contains(t, got, `ev_callback_calls_total{kind="Timer",loop="日本",watcher="`+"nul\\x00"+`"}`)
	assert.Contains(t, got, `ev_callback_calls_total{kind="Timer",loop="`+"\uFFFD"+`",watcher=" "}`)
	assert.Contains(t, got, `ev_loop_running{loop="`+"\uFFFD"+` 2"}`, "different, but not as UTF-8")
}

func TestConcurrentScrapesOfBusyLoopsThatComeAndGo(t *testing.T) {
	url := newServer(t)
	busy := newLoop(t, ev.WithName("busy"))
	ev.NewIdle(busy, func(*ev.Idle) {}).Start()
	done := make(chan error)
	started := make(chan struct{})
	require.NoError(t, busy.Post(func() { close(started) }))
	go func() { done <- busy.Run(context.Background()) }()
	<-started

	var scrapers, others sync.WaitGroup
	scraped := make(chan struct{})
	others.Go(func() {
		for !isClosed(scraped) {
			oneLife(t)
		}
	})
	for range 4 {
		scrapers.Go(func() {
			for range 25 {
				got, err := tryScrape(url)
				assert.NoError(t, err)
				assert.EqualValues(t, 1, got[`ev_loop_running{loop="busy"}`])
			}
		})
	}
	scrapers.Wait()
	close(scraped)
	others.Wait()
	busy.Stop()
	require.NoError(t, <-done)
	assert.Len(t, scrape(t, url).with("ev_loop_running"), 1)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// oneLife makes a loop of a name that is taken, keeps it busy for some callbacks, and closes it.
func oneLife(t *testing.T) {
	l, err := ev.New(ev.WithName("busy"))
	if !assert.NoError(t, err) {
		return
	}
	n := 0
	ev.NewIdle(l, func(i *ev.Idle) {
		if n++; n == 1000 {
			i.Stop()
		}
	}).Start()
	assert.NoError(t, l.Run(context.Background()))
	assert.NoError(t, l.Close())
}

func TestNoCounterGoesBack(t *testing.T) {
	l := newLoop(t, ev.WithName("main"))
	registry := newRegistry(t)
	before := gather(t, registry)
	ev.NewTimer(l, time.Millisecond, time.Millisecond, func(*ev.Timer) {}, ev.Name("tick")).Start()
	names := 0
	spawner := ev.NewAsync(l, func(*ev.Async) {
		for range 20 {
			names++
			timer(l, 0, 0, fmt.Sprint(names))
		}
	})
	spawner.Start()
	done := make(chan error)
	go func() { done <- l.Run(context.Background()) }()
	for range 100 {
		spawner.Send()
		after := gather(t, registry)
		for name, was := range before {
			if isCounter(name) {
				assert.GreaterOrEqual(t, after[name], was, name)
			}
		}
		maps.Copy(before, after)
	}
	l.Stop()
	require.NoError(t, <-done)
	assert.Greater(t, len(before.with("ev_callback_calls_total")), 2)
}

func isCounter(name string) bool {
	name, _, _ = strings.Cut(name, "{")
	for _, suffix := range []string{"_total", "_bucket", "_count", "_sum"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

func TestTwoCollectorsDoNotDisturbEachOther(t *testing.T) {
	l := newLoop(t, ev.WithName("main"))
	a, b := newRegistry(t), newRegistry(t)
	gather(t, a)
	timer(l, 0, 0, "once")
	run(t, l)
	const calls = `ev_callback_calls_total{kind="Timer",loop="main",watcher="once"}`
	assert.EqualValues(t, 1, gather(t, a)[calls])
	assert.EqualValues(t, 1, gather(t, b)[calls])
	assert.Error(t, a.Register(evprom.NewCollector()), "the same twice would be collected twice")
}
