package evmeter

import (
	"context"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/goroutine"
	"github.com/goevlib/ev/internal/look"
)

// Inspection is what only the loop's goroutine can tell.
type Inspection struct {
	Active    []Active `json:"active"`         // the most numerous first; "others" last, if there are many groups
	More      int      `json:"more,omitempty"` // groups that are in "others"
	Refs      int      `json:"refs"`           // references that keep Run going besides watchers: Ref, and each Go in progress
	Depth     int      `json:"depth"`          // of nested Runs
	Iteration uint64   `json:"iteration"`

	Took time.Duration `json:"took_ns"` // for how long asking held up the loop, all parts together
}

// PartSize is how many watchers the loop goes through in one part of an Inspect.
const PartSize = 1000

// Inspect asks the loop itself. The loop answers in parts: it goes through PartSize
// watchers at most, a fraction of a millisecond, and then does its other work until
// the next iteration. The watchers are grouped and named on the caller's goroutine,
// which takes memory for each group of them.
//
// The answer is exact if no watcher starts, stops or is armed anew between two
// parts; so it is for a loop with no more than PartSize watchers. Otherwise each
// such change can make the counts a few too high or too low. Refs, Depth and
// Iteration are of the first part.
//
// The question does not keep Run going, and is no callback: no Meter, log or trace
// shows it. A loop that nobody runs answers in its next Run. Inspect returns
// ctx.Err() if that is too late, and ev.ErrClosed. Any goroutine but the loop's own
// may call it; there it panics. It panics when l is nil.
func Inspect(ctx context.Context, l *ev.Loop) (Inspection, error) {
	if l == nil {
		panic("evmeter: Inspect: nil loop")
	}
	var in Inspection
	w, g := walk{loop: l}, make(groups)
	w.found = make([]found, 0, min(PartSize, l.Stats().Active)) // the loop need not
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
		if w.at.Done {
			g.fill(&in)
			return in, nil
		}
	}
	return Inspection{}, err
}

// Ping asks the loop for nothing, and returns when it has answered: in a pass, as
// it does whatever else it has to do. It returns the errors of Inspect. Any
// goroutine but the loop's own may call it; there it panics. It panics when l is
// nil.
func Ping(ctx context.Context, l *ev.Loop) error {
	if l == nil {
		panic("evmeter: Ping: nil loop")
	}
	return look.Ask(ctx, l, func() {})
}

// walk goes through the watchers of a loop. Its parts are the loop goroutine's;
// between them it is the asker's. look.Ask orders the two: it returns after the
// part, and the next part begins after the next Ask.
type walk struct {
	loop  *ev.Loop
	at    look.Cursor
	found []found // in the last part
}

// found is a watcher as the loop sees it. What it is called is found out elsewhere.
type found struct {
	callback ev.Callback
	priority int
	keeps    bool
}

func (w *walk) part() {
	w.found = w.found[:0]
	w.at = look.Part(w.loop, w.at, PartSize, func(watcher any, keeps bool) {
		of := watcher.(ev.Watcher)
		w.found = append(w.found, found{ev.CallbackOf(of), of.Priority(), keeps})
	})
}

// Stack returns the stack of the goroutine that is in the loop's Run, or "" if it
// was not found: of a loop that does not answer, it shows where it hangs. It stops
// the whole process for as long as it takes to print the stacks of all goroutines.
// Any goroutine may call it. It panics when l is nil.
func Stack(l *ev.Loop) string {
	if l == nil {
		panic("evmeter: Stack: nil loop")
	}
	return Stacks(l)[0]
}

// Stacks is Stack for several loops. It stops the process once for all of them.
func Stacks(loops ...*ev.Loop) []string {
	ids, asked := make([]uint64, len(loops)), false
	for i, l := range loops {
		if l == nil {
			panic("evmeter: Stacks: nil loop")
		}
		ids[i] = l.GoroutineID()
		asked = asked || ids[i] != 0
	}
	if !asked {
		return make([]string, len(loops))
	}
	return goroutine.Stacks(ids...)
}
