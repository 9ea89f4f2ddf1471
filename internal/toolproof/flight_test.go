package toolproof

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
)

// recorded returns the flight recording of two loops. It has callbacks with known
// names, nested ones, sleeps, and one that has not ended.
func recorded(t *testing.T) []byte {
	main, other := newLoop(t, ev.WithName("main")), newLoop(t, ev.WithName("other"))
	recorders := []*evflight.Recorder{evflight.Start(main, 1000), evflight.Start(other, 1000)}
	work := func(d time.Duration) func(*ev.Timer) {
		return func(*ev.Timer) { time.Sleep(d) }
	}
	ev.NewTimer(main, 5*time.Millisecond, 0, work(3*time.Millisecond), ev.Name("flush")).Start()
	ev.NewTimer(main, 6*time.Millisecond, 0, work(2*time.Millisecond), ev.Name("late")).Start()
	ev.NewTimer(main, 15*time.Millisecond, 0, func(*ev.Timer) {
		ev.NewTimer(main, 2*time.Millisecond, 0, work(2*time.Millisecond), ev.Name("inner")).Start()
		assert.NoError(t, main.Run(context.Background()))
	}, ev.Name("outer")).Start()
	require.NoError(t, main.Run(context.Background()))
	door := ev.NewAsync(other, func(a *ev.Async) { time.Sleep(2 * time.Millisecond); a.Stop() }, ev.Name("door"))
	door.Start()
	time.AfterFunc(4*time.Millisecond, func() { door.Send() })
	require.NoError(t, other.Run(context.Background()))

	var buf bytes.Buffer
	ev.NewTimer(other, 0, 0, func(*ev.Timer) {
		time.Sleep(3 * time.Millisecond)
		assert.NoError(t, evflight.Write(&buf, recorders...))
	}, ev.Name("stuck")).Start()
	require.NoError(t, other.Run(context.Background()))
	return buf.Bytes()
}

// slices maps the callbacks in recorded to their loops.
var slices = map[string]string{
	"Timer flush": "main", "Timer late": "main", "Timer outer": "main", "Timer inner": "main",
	"Async door": "other", "Timer stuck": "other",
}

// arrows are the Sends in recorded, and the callbacks that answered them.
var arrows = []string{"toolproof.recorded.func4 -> Async door"}

// slice is an event of Chrome's format, with exactly the fields of the format.
type slice struct {
	Name     string         `json:"name"`
	Category string         `json:"cat"`
	Phase    string         `json:"ph"`
	Start    *float64       `json:"ts"`
	Duration *float64       `json:"dur"`
	Process  *int           `json:"pid"`
	Thread   *int           `json:"tid"`
	ID       uint64         `json:"id"`
	Binding  string         `json:"bp"`
	Args     map[string]any `json:"args"`
}

func (s slice) end() float64 { return *s.Start + *s.Duration }

func TestAFlightRecordingIsAWellFormedTrace(t *testing.T) {
	var trace struct {
		Events []slice           `json:"traceEvents"`
		Unit   string            `json:"displayTimeUnit"`
		Other  map[string]string `json:"otherData"`
	}
	decoder := json.NewDecoder(bytes.NewReader(recorded(t)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&trace))
	assert.Contains(t, []string{"ms", "ns"}, trace.Unit)

	threads, loops := make(map[int]string), make(map[string]string)
	open := make(map[int][]slice)
	sent, answered := make(map[uint64]slice), []string(nil)
	for _, s := range trace.Events {
		require.NotNil(t, s.Process)
		require.NotNil(t, s.Thread)
		switch s.Phase {
		case "M":
			if s.Name == "thread_name" {
				threads[*s.Thread] = s.Args["name"].(string)
			}
		case "X":
			open[*s.Thread] = within(t, open[*s.Thread], s)
			if s.Category == "callback" {
				loops[s.Name] = threads[*s.Thread]
			}
		case "s":
			assert.NotContains(t, sent, s.ID)
			sent[s.ID] = around(t, open[*s.Thread], s)
		case "f":
			require.Contains(t, sent, s.ID)
			assert.Equal(t, "e", s.Binding)
			from, _, _ := strings.Cut(sent[s.ID].Name, " (")
			answered = append(answered, from+" -> "+around(t, open[*s.Thread], s).Name)
			assert.LessOrEqual(t, *sent[s.ID].Start, *s.Start)
		default:
			assert.Fail(t, "an event of another phase", "%+v", s)
		}
	}
	assert.Equal(t, slices, loops)
	assert.Equal(t, arrows, answered)
}

// around returns the slice that an end of an arrow belongs to.
func around(t *testing.T, open []slice, end slice) slice {
	require.NotEmpty(t, open)
	s := open[len(open)-1]
	assert.LessOrEqual(t, *s.Start, *end.Start)
	assert.LessOrEqual(t, *end.Start, s.end())
	return s
}

// within removes the open slices that end before s begins. The last open slice must
// contain s, as a viewer draws the slices of a thread.
func within(t *testing.T, open []slice, s slice) []slice {
	const rounding = 0.001 // of times in microseconds
	require.NotNil(t, s.Start)
	require.NotNil(t, s.Duration)
	assert.GreaterOrEqual(t, *s.Start, 0.0)
	assert.GreaterOrEqual(t, *s.Duration, 0.0)
	for len(open) > 0 && open[len(open)-1].end() <= *s.Start+rounding {
		open = open[:len(open)-1]
	}
	if len(open) > 0 {
		assert.LessOrEqual(t, s.end(), open[len(open)-1].end()+rounding, "%s sticks out of %s", s.Name, open[len(open)-1].Name)
	}
	return append(open, s)
}
