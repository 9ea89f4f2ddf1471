package toolproof

import (
	"bytes"
	"context"
	"runtime"
	"runtime/trace"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	exptrace "golang.org/x/exp/trace"

	"github.com/goevlib/ev"
)

// In a trace, a step is a region of the goroutine on which the task's function runs, besides that
// of the goroutine in Run.
func TestInAnExecutionTraceStepsAreRegionsOfTheTasksGoroutine(t *testing.T) {
	if trace.IsEnabled() {
		t.Skip("somebody traces already")
	}
	l := newLoop(t)
	var buf bytes.Buffer
	require.NoError(t, trace.Start(&buf))
	ev.Spawn(l, func(task *ev.Task) error {
		for range 3 {
			if err := task.Yield(); err != nil {
				return err
			}
		}
		return nil
	}, ev.Name("walker"))
	require.NoError(t, l.Run(context.Background()))
	ev.Spawn(l, func(task *ev.Task) error {
		if err := task.Yield(); err != nil {
			return err
		}
		runtime.Goexit()
		return nil
	}, ev.Name("leaver"))
	var gone sync.WaitGroup
	gone.Go(func() { _ = l.Run(context.Background()) })
	gone.Wait()
	trace.Stop()

	open, ended := make(map[exptrace.GoID]int), make(map[string]map[exptrace.GoID]int)
	for e := range events(t, buf.Bytes()) {
		switch e.Kind() {
		case exptrace.EventRegionBegin:
			open[e.Goroutine()]++
		case exptrace.EventRegionEnd:
			open[e.Goroutine()]--
			name := e.Region().Type
			if ended[name] == nil {
				ended[name] = make(map[exptrace.GoID]int)
			}
			ended[name][e.Goroutine()]++
		}
	}
	for g, n := range open {
		assert.Zero(t, n, "regions of goroutine %d that did not end", g)
	}
	for name, steps := range map[string]int{"Task walker": 4, "Task leaver": 2} {
		assert.Len(t, ended[name], 2, "the goroutine in Run and that of the task")
		for g, n := range ended[name] {
			assert.Equal(t, steps, n, "%s on goroutine %d", name, g)
		}
	}
}
