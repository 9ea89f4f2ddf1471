package evmeter

import (
	"context"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/look"
)

// Inspection has the figures that only the loop's goroutine can read.
type Inspection struct {
	Active    []Active `json:"active"`          // the largest group first; "others" last, if there are many groups
	More      int      `json:"more,omitempty"`  // the number of groups in "others"
	Tasks     []Task   `json:"tasks,omitempty"` // the one that has waited longest first; at most MaxTasks
	Refs      int      `json:"refs"`            // references that keep Run going besides watchers: Ref, and each Go in progress
	Depth     int      `json:"depth"`           // the number of nested Runs
	Iteration uint64   `json:"iteration"`

	Took time.Duration `json:"took_ns"` // how long Inspect held up the loop, all parts together
}

// PartSize is the number of watchers that one part of an Inspect goes through.
const PartSize = 1000

// Inspect counts the active watchers of l on the loop's goroutine. A loop that is not in Run
// answers in its next Run.
//
// Any goroutine but the loop's own may call Inspect; on the loop's goroutine it panics. It
// panics if l is nil. It returns ctx.Err() if ctx is done before the loop has answered, and
// ev.ErrClosed if the loop is closed.
//
// The loop answers in parts, one per iteration. A part goes through at most PartSize watchers
// and takes a fraction of a millisecond. The watchers are grouped and named on the caller's
// goroutine, which allocates memory for each group. Inspect does not keep Run going. It is
// not a callback: no Meter, log or trace shows it.
//
// If there are tasks, the loop then shows the MaxTasks that have waited longest once more, each
// with its position in the code. It does that a hundred at a time.
//
// The counts are exact if no watcher starts, stops or is armed again between two parts, as is
// the case with at most PartSize watchers. Otherwise each such change can make them slightly
// too high or too low. Refs, Depth and Iteration are those of the first part.
func Inspect(ctx context.Context, l *ev.Loop) (Inspection, error) {
	if l == nil {
		panic("evmeter: Inspect: nil loop")
	}
	var in Inspection
	var all tasks
	w, g := walk{loop: l}, make(groups)
	w.found = make([]found, 0, min(PartSize, l.Stats().Active)) // so that the loop need not allocate
	ask := func(fn func()) error {
		return look.Ask(ctx, l, func() {
			began := time.Now()
			fn()
			in.Took += time.Since(began)
		})
	}
	err := ask(func() {
		in.Refs, in.Depth, in.Iteration = l.ExtraRefs(), l.Depth(), l.Iteration()
		w.part()
	})
	for ; err == nil; err = ask(w.part) {
		g.add(w.found)
		all.add(w.tasks)
		if w.at.Done {
			break
		}
	}
	if err == nil {
		all.cut()
		err = all.locate(ask)
	}
	if err != nil {
		return Inspection{}, err
	}
	g.fill(&in)
	for i := range all {
		in.Tasks = append(in.Tasks, all[i].describe(l))
	}
	return in, nil
}

// Ping returns when the loop has answered in a pass, where it makes its callbacks. Any
// goroutine but the loop's own may call Ping; on the loop's goroutine it panics. It panics if
// l is nil. It returns the errors of Inspect.
func Ping(ctx context.Context, l *ev.Loop) error {
	if l == nil {
		panic("evmeter: Ping: nil loop")
	}
	return look.Ask(ctx, l, func() {})
}

// walk goes through the watchers of a loop. During a part it belongs to the loop's goroutine,
// between two parts to the caller of Inspect. look.Ask orders the two: it returns after the
// part, and the next part begins after the next Ask.
type walk struct {
	loop  *ev.Loop
	at    look.Cursor
	found []found // by the last part
	tasks []taskFound
}

// found is a watcher as the loop saw it. Its texts are made on the caller's goroutine.
type found struct {
	callback ev.Callback
	priority int
	keeps    bool
}

func (w *walk) part() {
	w.found, w.tasks = w.found[:0], w.tasks[:0]
	w.at = look.Part(w.loop, w.at, PartSize, func(watcher any, keeps bool) {
		of := watcher.(ev.Watcher)
		w.found = append(w.found, found{ev.CallbackOf(of), of.Priority(), keeps})
		if t, ok := of.(*ev.Task); ok {
			w.tasks = append(w.tasks, findTask(t))
		}
	})
}
