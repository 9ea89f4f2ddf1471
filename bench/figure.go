package main

// figure is a piece of work that ev and its rivals do in turn, with the
// quantities that are measured.
type figure struct {
	group   string   // the heading of its table: "Send"
	name    string   // its row: "requested already"
	columns []string // the results of one run, with units: {"ns/op"}, or {"p50 us", "p99 us", "p99.9 us"}
	targets []target // in the first column; checked and reported
	rivals  []contestant
}

// contestant is one way to do the work. Each of its runs has a process of its
// own, so that no rival leaves goroutines, heap or timers to another.
type contestant struct {
	name string // "ev", "chan(1)+select", "libuv"
	run  func(quick bool) ([]float64, error)
}

// target is a promise about two contestants in the same run: the median of what
// is at most bound times the median of over or, without over, at most bound in
// the column's unit. slack multiplies the bound for the guard in CI, because
// machines are noisy. Where a target is missed, slack guards the present state.
type target struct {
	column     int
	what, over string // contestants
	bound      float64
	slack      float64
}

// skipped is the error of a contestant that is absent: the reason, in words.
type skipped string

func (s skipped) Error() string { return string(s) }
