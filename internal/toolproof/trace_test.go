package toolproof

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"runtime"
	"runtime/trace"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	exptrace "golang.org/x/exp/trace"

	"github.com/goevlib/ev"
)

// traced returns the trace of a program with two loops. It has callbacks of several
// kinds, nested ones, and callbacks that end in all possible ways.
func traced(t *testing.T) []byte {
	if trace.IsEnabled() {
		t.Skip("somebody traces already")
	}
	main := newLoop(t, ev.WithName("main"), ev.WithPanicHandler(func(ev.Watcher, any, []byte) {}))
	other := newLoop(t, ev.WithName("other"))
	var buf bytes.Buffer
	require.NoError(t, trace.Start(&buf))
	ctx, job := trace.NewTask(context.Background(), "job")

	flushes := 0
	ev.NewTimer(main, time.Millisecond, time.Millisecond, func(f *ev.Timer) {
		if flushes++; flushes == 3 {
			f.Stop()
		}
	}, ev.Name("flush")).Start()
	lines := ev.NewQueue(main, 0, func(q *ev.Queue[int], _ []int) { q.Stop() }, ev.Name("lines"))
	lines.Start()
	require.NoError(t, lines.Send(1))
	ev.NewTimer(main, 0, 0, func(*ev.Timer) { panic("recovered") }, ev.Name("fragile")).Start()
	ev.NewTimer(main, 0, 0, func(*ev.Timer) {
		ev.NewTimer(other, 0, 0, func(*ev.Timer) {}, ev.Name("inner")).Start()
		assert.NoError(t, other.Run(ctx))
	}, ev.Name("outer")).Start()
	require.NoError(t, main.Run(ctx))

	ev.NewTimer(other, 0, 0, func(*ev.Timer) { panic("leaves Run") }, ev.Name("bomb")).Start()
	assert.PanicsWithValue(t, "leaves Run", func() { _ = other.Run(ctx) })
	ev.NewTimer(other, 0, 0, func(*ev.Timer) { runtime.Goexit() }, ev.Name("leaver")).Start()
	var gone sync.WaitGroup
	gone.Go(func() { _ = other.Run(ctx) })
	gone.Wait()
	job.End()
	trace.Stop()
	return buf.Bytes()
}

// calls has the number of calls of each callback in traced, by the name of its region.
var calls = map[string]int{
	"Timer flush": 3, "Queue lines": 1, "Timer fragile": 1,
	"Timer outer": 1, "Timer inner": 1, "Timer bomb": 1, "Timer leaver": 1,
}

func TestInAnExecutionTraceCallbacksAreTasksAndRegions(t *testing.T) {
	a := account{
		t: t, tasks: make(map[exptrace.TaskID]exptrace.Task), loops: make(map[exptrace.TaskID]string),
		open: make(map[exptrace.GoID][]exptrace.Region), regions: make(map[string]int), inside: make(map[string]string),
	}
	for e := range events(t, traced(t)) {
		a.add(e)
	}
	assert.Equal(t, calls, a.regions, "each callback once, also those that panic")
	assert.Empty(t, a.tasks, "tasks that did not end")
	for _, open := range a.open {
		assert.Empty(t, open, "regions that did not end")
	}
	assert.Equal(t, map[string]string{"Timer inner": "Timer outer"}, a.inside)
}

func events(t *testing.T, data []byte) iter.Seq[exptrace.Event] {
	return func(yield func(exptrace.Event) bool) {
		reader, err := exptrace.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		for {
			e, err := reader.ReadEvent()
			if errors.Is(err, io.EOF) {
				return
			}
			require.NoError(t, err)
			if !yield(e) {
				return
			}
		}
	}
}

func TestTheFlightRecorderOfTheRuntimeSeesCallbacksToo(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("somebody traces already")
	}
	recorder := trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: time.Hour})
	require.NoError(t, recorder.Start())
	defer recorder.Stop()
	l := newLoop(t)
	ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name("flush")).Start()
	require.NoError(t, l.Run(context.Background()))
	var buf bytes.Buffer
	_, err := recorder.WriteTo(&buf)
	require.NoError(t, err)
	var regions []string
	for e := range events(t, buf.Bytes()) {
		if e.Kind() == exptrace.EventRegionEnd {
			regions = append(regions, e.Region().Type)
		}
	}
	assert.Equal(t, []string{"Timer flush"}, regions)
}

// account is the state after a part of a trace.
type account struct {
	t       *testing.T
	job     exptrace.TaskID
	tasks   map[exptrace.TaskID]exptrace.Task // that have not ended
	loops   map[exptrace.TaskID]string        // the log in them
	open    map[exptrace.GoID][]exptrace.Region
	regions map[string]int    // that have ended
	inside  map[string]string // in which another one lies
}

func (a *account) add(e exptrace.Event) {
	switch e.Kind() {
	case exptrace.EventTaskBegin:
		task := e.Task()
		a.tasks[task.ID] = task
		if task.Type == "job" {
			a.job = task.ID
		} else {
			assert.Equal(a.t, a.job, task.Parent, "%s belongs to the task of Run's context", task.Type)
		}
	case exptrace.EventTaskEnd:
		assert.Contains(a.t, a.tasks, e.Task().ID)
		delete(a.tasks, e.Task().ID)
	case exptrace.EventLog:
		a.loops[e.Log().Task] = e.Log().Category + " " + e.Log().Message
	case exptrace.EventRegionBegin:
		a.begin(e.Goroutine(), e.Region())
	case exptrace.EventRegionEnd:
		a.end(e.Goroutine(), e.Region())
	}
}

func (a *account) begin(g exptrace.GoID, r exptrace.Region) {
	assert.Equal(a.t, a.tasks[r.Task].Type, r.Type, "in a task of its own, of the same name")
	loop := "loop main"
	switch r.Type {
	case "Timer inner", "Timer bomb", "Timer leaver":
		loop = "loop other"
	}
	assert.Equal(a.t, loop, a.loops[r.Task], r.Type)
	if outer := a.open[g]; len(outer) > 0 {
		a.inside[r.Type] = outer[len(outer)-1].Type
	}
	a.open[g] = append(a.open[g], r)
}

func (a *account) end(g exptrace.GoID, r exptrace.Region) {
	open := a.open[g]
	if assert.NotEmpty(a.t, open, "%s ends, but did not begin", r.Type) {
		assert.Equal(a.t, open[len(open)-1], r, "regions lie in each other")
		a.open[g] = open[:len(open)-1]
	}
	a.regions[r.Type]++
}
