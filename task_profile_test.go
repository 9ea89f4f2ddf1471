package ev_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestASlowStepIsLoggedWithTheTask(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithName("mine"), ev.WithSlowCallback(20*time.Millisecond),
		ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	at := here(1)
	ev.Spawn(l, func(task *ev.Task) error {
		if err := task.Sleep(30 * time.Millisecond); err != nil { // a wait is no work
			return err
		}
		time.Sleep(25 * time.Millisecond)
		if err := task.Yield(); err != nil {
			return err
		}
		time.Sleep(25 * time.Millisecond)
		return nil
	}, ev.Name("walker"))
	run(t, l)
	assert.GreaterOrEqual(t, strings.Count(log.String(), "ev: slow callback"), 2)
	assert.LessOrEqual(t, strings.Count(log.String(), "ev: slow callback"), 3, "one for each step at most")
	for _, want := range []string{"loop=mine", "kind=Task", "watcher=walker", "callback=" + at} {
		assert.Contains(t, log.String(), want)
	}
}

// labelsAbove returns the labels of the goroutines that have the function on their stacks.
func labelsAbove(t *testing.T, function string) (labels []string) {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&buf, 1))
	for stack := range strings.SplitSeq(buf.String(), "\n\n") {
		if !strings.Contains(stack, function+"+") {
			continue
		}
		_, rest, _ := strings.Cut(stack, "# labels: ")
		label, _, _ := strings.Cut(rest, "\n")
		labels = append(labels, label)
	}
	return labels
}

func labelsInTask(t *testing.T) []string { return labelsAbove(t, "ev_test.labelsInTask") }

// The profiler samples the coroutine's goroutine, not the one in Run.
func TestProfileLabelsFollowTheTask(t *testing.T) {
	l := newLoop(t, ev.WithName("main"), ev.WithProfileLabels())
	var got [][]string
	look := func() { got = append(got, labelsInTask(t)) }
	ev.Spawn(l, func(task *ev.Task) error {
		look()
		if err := task.Yield(); err != nil {
			return err
		}
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { look() }, ev.Name("inside")).Start()
		nowait(t, l)
		look()
		return nil
	}, ev.Name("first"))
	pprof.Do(context.Background(), pprof.Labels("tenant", "7"), func(ctx context.Context) {
		require.NoError(t, l.Run(ctx))
		ev.Spawn(l, func(*ev.Task) error { look(); return nil }, ev.Name("second")) // on a new coroutine
		require.NoError(t, l.Run(ctx))
		ev.Spawn(l, func(task *ev.Task) error {
			return task.Join(ev.Spawn(l, func(*ev.Task) error { return nil }, ev.Name("before")))
		})
		ev.Spawn(l, func(task *ev.Task) error {
			if err := task.Yield(); err != nil {
				return err
			}
			return task.Join(ev.Spawn(l, func(*ev.Task) error { look(); return nil }, ev.Name("on a spare one")))
		})
		require.NoError(t, l.Run(ctx))
		assert.Equal(t, `{"tenant":"7"}`, labelsInTask(t)[0], "restored")
	})
	var want [][]string
	for _, watcher := range []string{"Task first", "Timer inside", "Task first", "Task second", "Task on a spare one"} {
		want = append(want, []string{`{"loop":"main", "tenant":"7", "watcher":"` + watcher + `"}`})
	}
	assert.Equal(t, want, got)
}

func TestTheExecutionTracerSeesSteps(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("somebody traces already")
	}
	l := newLoop(t)
	ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Hour) }, ev.Name("before the trace"))
	nowait(t, l)
	var buf bytes.Buffer
	require.NoError(t, trace.Start(&buf))
	ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Hour) }, ev.Name("in the trace"))
	nowait(t, l)
	trace.Stop()
	assert.Contains(t, buf.String(), "Task in the trace")
	assert.NotContains(t, buf.String(), "Task before the trace")
}
