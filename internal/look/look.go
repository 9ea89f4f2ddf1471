// Package look lets the tools of this module read state of a live loop that only its goroutine
// can read. Package ev sets the functions. A loop is an *ev.Loop and a watcher an ev.Watcher,
// which this package cannot import.
//
// ev.Call is not enough. It keeps Run going, and makes Alive true for a loop whose Run has
// ended. It is a callback that observers, logs and profiles show. It holds up the loop until all
// watchers have been visited.
package look

import (
	"context"
	"time"
)

// Ask runs fn on the loop's goroutine, in a pass, at priority 0, and returns when fn has
// returned. The loop runs at most one such fn in each iteration. If the loop is not in Run, Ask
// waits for the next Run. Ask does not keep Run going, and observers do not see it.
//
// Any goroutine but the loop's own may call Ask; on the loop's goroutine it panics. It returns
// ctx.Err() if ctx is done first, and ev.ErrClosed if the loop is closed first: then fn was not
// called, and will not be.
var Ask func(ctx context.Context, loop any, fn func()) error

// Part calls see for the active watchers after the cursor, and returns the cursor behind them.
// It goes through at most n watchers, the loop's internal ones included. keeps is the last
// argument of Watcher.Keep. Part must be called on the loop's goroutine.
//
// Between two parts, watchers may start, stop and be armed again. Each such change may make Part
// skip watchers or see them twice: Stop puts the last watcher in the place of the stopped one,
// and timers change places in their heap.
var Part func(loop any, from Cursor, n int, see func(watcher any, keeps bool)) Cursor

// Cursor is a position among the watchers of a loop. The zero value is the beginning.
type Cursor struct {
	Timers bool // all watchers but the Timers were visited
	Index  int
	Done   bool
}

// TaskOf returns what an *ev.Task does. It must be called on the loop's goroutine.
var TaskOf func(task any) Task

// Task is what an active task does. If neither Runs nor Method is set, its function is to begin.
type Task struct {
	Runs   bool   // it is on the stack, perhaps below a nested Run
	Method string // the call that waits, such as "Sleep", "WaitFD" or "Mailbox.Receive"
	Over   bool   // the wait is over, and the next step is still to come

	Since time.Time // when the wait began
	Until time.Time // when Sleep, or the deadline of Within, ends it; zero if no time does

	FD          int // that WaitFD or WaitConn waits for; else -1
	Read, Write bool
	Of          any // the *ev.Task that Join waits for, or nil

	Goroutine uint64 // the number of the goroutine on which its function runs; 0 if that is to begin
}

// TaskStack sets pcs to the stack of an *ev.Task that waits, as runtime.Callers does, and returns
// how many it has set: 0 if the task does not wait. It must be called on the loop's goroutine. It
// stops nothing but the loop, for about a microsecond.
var TaskStack func(task any, pcs []uintptr) int

// Sends makes a loop note, for each request of a callback, when it was made and by which code:
// the first of the Sends that one callback answers, and the first of the posts that one iteration
// collects. It is safe for concurrent use.
var Sends func(loop any) (stop func())

// Sent returns the note of the callback that begins, and the stack of the code that made the
// request, as runtime.Callers does, package ev's functions included. It must be called in the
// Begin of an observer. The watcher is nil for Post, Call and Go. ok is false if the callback
// answers no request that was noted.
var Sent func(loop, watcher any) (at time.Time, pcs [8]uintptr, ok bool)
