package proptest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/anishathalye/porcupine"
)

// The methods that are safe for concurrent use are modelled as sequential objects. An
// event on the loop's own goroutine is an operation too. It takes effect at some moment
// between the callback before it and its record.

// operation is a call of one object with its outcome.
type operation struct {
	object string // "runs", "posts" or an Async's name
	op     string
	id     int    // the number of the posted function
	result string // "", or the result of the operation

	turn int // see posts
	ran  bool
}

func (d operation) String() string {
	return fmt.Sprintf("%s.%s(%d)=%s", d.object, d.op, d.id, d.result)
}

// model steps from a state to all states that may follow.
func model[S comparable](initial S, step func(state S, d operation) []S) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{initial} },
		Step: func(state, in, _ any) []any {
			var next []any
			for _, s := range step(state.(S), in.(operation)) {
				next = append(next, s)
			}
			return next
		},
		DescribeOperation: func(in, _ any) string { return in.(operation).String() },
	}
	return m.ToModel()
}

// The state of runs has a digit for each active Run, the innermost last: 1 if it was
// asked to stop. A c in front is a closed loop.
var runsModel = model("", func(state string, d operation) []string {
	runs, closed := strings.CutPrefix(state, "c")
	shut := state[:len(state)-len(runs)]
	asked := strings.HasSuffix(runs, "1")
	switch d.op {
	case "Close":
		return []string{"c" + runs}
	case "Stop": // the innermost
		if runs == "" {
			return []string{state}
		}
		return []string{shut + runs[:len(runs)-1] + "1"}
	case "StopAll":
		return []string{shut + strings.Repeat("1", len(runs))}
	case "enter":
		return only(!closed, state+"0")
	case "refused":
		return only(closed, state)
	case "iterate":
		return only(!closed && runs != "" && !asked, state)
	case "leave":
		return only(runs != "" && (d.result == "closed" && closed || d.result == "ok" && asked), state[:max(0, len(state)-1)])
	}
	panic(d)
})

// Posts are a queue. Each has a turn, which is the order in which it ran. Then only
// orders that can be right are tried.
type posts struct {
	waiting int  // the turn of the next to be posted
	run     int  // the turn of the next to run
	dropped bool // a function was posted that never ran: only Close explains that
	closed  bool
}

var postsModel = model(posts{}, func(state posts, d operation) []posts {
	next := state
	switch d.op {
	case "Close":
		next.closed = true
		return []posts{next}
	case "Post":
		if d.result == "closed" {
			return only(state.closed, state)
		}
		if d.ran {
			next.waiting++
		} else {
			next.dropped = true
		}
		return only(!state.closed && d.turn == state.waiting, next)
	case "run":
		next.run++
		return only(!state.closed && d.turn == state.run && state.run < state.waiting, next)
	case "rest":
		return only(state.closed || state.run == state.waiting && !state.dropped, state)
	}
	panic(d)
})

// takeTurns numbers the posts in the order in which they ran. Posts that did not run
// come last.
func (h history) takeTurns() history {
	turns := map[int]int{}
	for _, o := range h.sorted() {
		d := o.Input.(operation)
		if _, again := turns[d.id]; d.op == "run" && !again {
			turns[d.id] = len(turns)
		}
	}
	h = slices.Clone(h)
	for i := range h {
		d := h[i].Input.(operation)
		if d.turn, d.ran = turns[d.id]; !d.ran {
			d.turn = len(turns)
		}
		h[i].Input = d
	}
	return h
}

// The state of an Async says whether it is active and whether it was sent. A collected
// request is called, or a Stop drops it.
var asyncModel = model("active", func(state string, d operation) []string {
	activity, sent := strings.CutSuffix(state, " sent")
	active := activity == "active"
	switch d.op {
	case "Send":
		return []string{activity + " sent"}
	case "Sent":
		return only(d.result == fmt.Sprint(sent), state)
	case "called":
		return only(active && sent, activity)
	case "Stop":
		if active && sent {
			return []string{"stopped", "stopped sent"}
		}
		return []string{strings.Replace(state, "active", "stopped", 1)}
	case "Start":
		return only(!active, "active")
	case "rest": // all senders are done, and the loop made its iterations since
		return only(!active || !sent, state)
	}
	panic(d)
})

func only[S any](legal bool, state S) []S {
	if legal {
		return []S{state}
	}
	return nil
}

// history is the record of all objects.
type history []porcupine.Operation

// of returns the record of one object.
func (h history) of(object string) history {
	return slices.DeleteFunc(slices.Clone(h), func(o porcupine.Operation) bool { return o.Input.(operation).object != object })
}

// sorted returns the operations in the order of their beginnings.
func (h history) sorted() history {
	return slices.SortedFunc(slices.Values(h), func(x, y porcupine.Operation) int { return int(x.Call - y.Call) })
}

func (h history) String() string {
	var b strings.Builder
	for _, o := range h.sorted() {
		fmt.Fprintf(&b, "%5d to %5d, goroutine %2d: %v\n", o.Call, o.Return, o.ClientId, o.Input)
	}
	return b.String()
}

// check looks for an order that explains the record of one object.
func (h history) check(object string) porcupine.CheckResult {
	h = h.of(object)
	switch object {
	case "runs":
		return porcupine.CheckOperationsTimeout(runsModel, h, patience)
	case "posts":
		return porcupine.CheckOperationsTimeout(postsModel, h.takeTurns(), patience)
	}
	return porcupine.CheckOperationsTimeout(asyncModel, h, patience)
}
