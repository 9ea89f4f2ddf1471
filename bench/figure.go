package main

// figure is a piece of work that ev and its rivals do in turn, with the
// quantities that are measured.
type figure struct {
	group   string   // the heading of its table: "Send"
	name    string   // its row: "requested already"
	columns []string // the results of one run, with units: {"ns/op"}, or {"p50 us", "p99 us", "p99.9 us"}
	targets []target // checked and reported
	rivals  []contestant
}

// contestant is one way to do the work. Each of its runs has a process of its
// own, so that no rival leaves goroutines, heap or timers to another.
type contestant struct {
	name string // "ev", "chan(1)+select", "libuv"
	run  func(quick bool) ([]float64, error)
}

// target is a promise about contestants in the same run: the ratio of what to
// over is at most bound or, without over, what is at most bound in the column's
// unit. It is judged by the interval that has 95 % of the confidence: a target that
// lies in it is neither met nor missed.
//
// slack multiplies the bound for the guard in CI, because machines are noisy.
// Where a target is missed, slack guards the present state.
type target struct {
	column     int
	what, over string // contestants
	or         string // compare with this one in the rounds in which it has a smaller value than over; may be empty
	bound      float64
	least      bool // at least bound, not at most: of quantities per second
	slack      float64
}

// skipped is the error of a contestant that is absent: the reason, in words.
type skipped string

func (s skipped) Error() string { return string(s) }
