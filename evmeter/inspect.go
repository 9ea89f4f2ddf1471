package evmeter

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/goroutine"
)

// Inspection is what only the loop's goroutine can tell.
type Inspection struct {
	Active    []Active `json:"active"` // the most numerous first
	Refs      int      `json:"refs"`   // references that keep Run going besides watchers: Ref, and each Go in progress
	Depth     int      `json:"depth"`  // of nested Runs
	Iteration uint64   `json:"iteration"`

	Took time.Duration `json:"took_ns"` // for how long asking held up the loop
}

// Active is a group of active watchers of one kind, name, priority and function.
type Active struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Position string `json:"position"`
	Priority int    `json:"priority"`
	Count    int    `json:"count"`
	Keeping  int    `json:"keeping"` // of them, those that keep Run going
}

// Inspect asks the loop itself, by a Call: it costs the loop a little for each
// active watcher, and the answer comes when the loop has time for it. It returns
// ctx.Err() if that is too late, and ev.ErrClosed. A loop that nobody runs answers
// in its next Run, and is alive until it has. Any goroutine may call it. It panics
// when l is nil.
func Inspect(ctx context.Context, l *ev.Loop) (Inspection, error) {
	if l == nil {
		panic("evmeter: Inspect: nil loop")
	}
	return ev.Call(ctx, l, func() (Inspection, error) {
		began := time.Now()
		in := Inspection{Refs: l.Refs(), Depth: l.Depth(), Iteration: l.Iteration()}
		groups := make(map[key]*Active)
		group := func(w ev.Watcher) *Active {
			c := ev.CallbackOf(w)
			k := keyOf(c)
			if groups[k] == nil {
				groups[k] = &Active{Kind: c.Kind(), Name: c.Name(), Position: c.Position(), Priority: k.priority}
			}
			return groups[k]
		}
		for w := range l.Watchers() {
			group(w).Count++
		}
		for w := range l.Keepers() {
			group(w).Keeping++
		}
		for _, a := range groups {
			in.Active = append(in.Active, *a)
		}
		slices.SortFunc(in.Active, func(a, b Active) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind),
				cmp.Compare(a.Name, b.Name), cmp.Compare(a.Position, b.Position))
		})
		in.Took = time.Since(began)
		return in, nil
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
	id := l.Goroutine()
	if id == 0 {
		return ""
	}
	return goroutine.Stacks(id)[0]
}
