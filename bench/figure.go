package main

// figure is some work that ev and its rivals do in turn, and what is measured of it.
type figure struct {
	group   string   // the heading of its table: "Send"
	name    string   // its row: "requested already"
	columns []string // what one run returns, with units: {"ns/op"}, or {"p50 us", "p99 us", "p99.9 us"}
	targets []target // in the first column; checked and reported
	rivals  []contestant
}

// contestant is one way of doing it. Each of its runs has a process of its own,
// so that no rival leaves goroutines, heap or timers to another.
type contestant struct {
	name string // "ev", "chan(1)+select", "libuv"
	run  func(quick bool) ([]float64, error)
}

// target is a promise about two contestants in the same run: the median of what
// may be at most bound times that of over; or, without over, at most bound in the
// column's unit. slack multiplies the bound for the guard in CI: machines are
// noisy, and where a target is missed it is the present state that is guarded.
type target struct {
	column     int
	what, over string // contestants
	bound      float64
	slack      float64
}

// skipped is the error of a contestant that is not there: the reason, in words.
type skipped string

func (s skipped) Error() string { return string(s) }
