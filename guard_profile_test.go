package ev_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// labelled returns the labels of the goroutines of the process that have any.
func labelled(t *testing.T) string {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&buf, 1))
	var labels []string
	for line := range strings.Lines(buf.String()) {
		if rest, ok := strings.CutPrefix(line, "# labels: "); ok {
			labels = append(labels, strings.TrimSpace(rest))
		}
	}
	return strings.Join(labels, "\n")
}

func TestProfileLabelsNameTheLoopAndTheWatcher(t *testing.T) {
	l, err := ev.New(ev.WithName("main"), ev.WithProfileLabels())
	require.NoError(t, err)
	defer l.Close()
	var inner, outer, nested, between string
	again := ev.NewAsync(l, func(a *ev.Async) { nested = labelled(t); a.Stop() }, ev.Name("nested"))
	again.Start()
	check := ev.NewPrepare(l, func(*ev.Prepare) {})
	check.Start()
	check.Keep(false)
	ev.NewTimer(l, 0, 0, func(*ev.Timer) {
		inner = labelled(t)
		again.Send()
		nowait(t, l)
		outer = labelled(t)
	}, ev.Name("flush")).Start()
	l.SetInvoke(func(l *ev.Loop) { l.Invoke(); between = labelled(t) })

	pprof.Do(context.Background(), pprof.Labels("tenant", "7"), func(ctx context.Context) {
		require.NoError(t, l.Run(ctx))
		assert.Equal(t, `{"tenant":"7"}`, labelled(t), "restored")
	})
	assert.Equal(t, `{"loop":"main", "tenant":"7", "watcher":"Timer flush"}`, inner)
	assert.Equal(t, inner, outer, "restored after a nested Run")
	assert.Equal(t, `{"loop":"main", "tenant":"7", "watcher":"Async nested"}`, nested)
	assert.Equal(t, `{"loop":"main", "tenant":"7"}`, between)
	assert.Empty(t, labelled(t))
}

func TestProfileLabelsOfAPanicAreTakenBack(t *testing.T) {
	l, err := ev.New(ev.WithProfileLabels())
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, l.Post(func() { panic("boom") }))
	assert.Panics(t, func() { _ = l.Run(context.Background()) })
	assert.Empty(t, labelled(t))
	var during string
	require.NoError(t, l.Post(func() { during = labelled(t) }))
	run(t, l)
	assert.Regexp(t, `^{"loop":"loop \d+", "watcher":"Post guard_profile_test.go:\d+"}$`, during)
}

func TestInvokeOutsideRunSetsNoLabels(t *testing.T) {
	l, err := ev.New(ev.WithProfileLabels())
	require.NoError(t, err)
	defer l.Close()
	var during string
	a := ev.NewAsync(l, func(*ev.Async) { during = labelled(t) })
	a.Feed(ev.Custom)
	pprof.Do(context.Background(), pprof.Labels("tenant", "7"), func(context.Context) { l.Invoke() })
	assert.Equal(t, `{"tenant":"7"}`, during, "they could not be given back")
}

func TestRunNoWaitLeavesTheLabelsOfTheGoroutineAlone(t *testing.T) {
	l, err := ev.New(ev.WithProfileLabels())
	require.NoError(t, err)
	defer l.Close()
	var during string
	require.NoError(t, l.Post(func() { during = labelled(t) }))
	pprof.Do(context.Background(), pprof.Labels("tenant", "7"), func(context.Context) {
		nowait(t, l)
		assert.Equal(t, `{"tenant":"7"}`, labelled(t))
	})
	assert.Equal(t, `{"tenant":"7"}`, during)
}

func TestEachOfManyNamesGetsItsLabel(t *testing.T) {
	l, err := ev.New(ev.WithProfileLabels())
	require.NoError(t, err)
	defer l.Close()
	const many = 3000
	wrong := 0
	for i := range many {
		ev.NewTimer(l, 0, 0, func(w *ev.Timer) {
			if i%100 == 0 && !strings.Contains(labelled(t), `"Timer `+w.Name()+`"`) {
				wrong++
			}
		}, ev.Name("conn "+strconv.Itoa(i))).Start()
	}
	run(t, l)
	assert.Zero(t, wrong)
}

func TestTheExecutionTracerSeesCallbacks(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("somebody traces already")
	}
	l, err := ev.New(ev.WithName("traced loop"))
	require.NoError(t, err)
	defer l.Close()
	before := ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name("before the trace"))
	before.Start()
	run(t, l)
	var buf bytes.Buffer
	require.NoError(t, trace.Start(&buf))
	ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name("in the trace")).Start()
	run(t, l)
	fed := ev.NewAsync(l, func(*ev.Async) {}, ev.Name("outside Run"))
	fed.Feed(ev.Custom)
	l.Invoke()
	trace.Stop()
	assert.Contains(t, buf.String(), "Timer in the trace")
	assert.Contains(t, buf.String(), "Async outside Run")
	assert.Contains(t, buf.String(), "traced loop")
	assert.NotContains(t, buf.String(), "before the trace")
}

func TestRecoveredPanicsAreLoggedWhereALoggerWasGiven(t *testing.T) {
	var out bytes.Buffer
	handled := 0
	l, err := ev.New(ev.WithName("main"), ev.WithLogger(slog.New(slog.NewTextHandler(&out, nil))),
		ev.WithPanicHandler(func(ev.Watcher, any, []byte) { handled++ }))
	require.NoError(t, err)
	defer l.Close()
	ev.NewTimer(l, 0, 0, func(*ev.Timer) { panic("boom") }, ev.Name("fragile")).Start()
	run(t, l)
	assert.Equal(t, 1, handled)
	for _, want := range []string{"level=ERROR", "ev: panic in a callback", "loop=main", "kind=Timer", "watcher=fragile", "panic=boom", "guard_profile_test.go:"} {
		assert.Contains(t, out.String(), want)
	}
}
