// Package look is how the tools of this module ask a live loop what only its
// goroutine can tell. Package ev sets the functions; a loop is an *ev.Loop and a
// watcher an ev.Watcher, which this package cannot name.
//
// A Call would do, but for three things that a program must not see of somebody
// who looks: a Call keeps Run going, and makes Alive true of a loop whose Run has
// ended; it is a callback that observers, logs and profiles show; and it holds up
// the loop for as long as it takes to go through all watchers.
package look

import "context"

// Ask runs fn on the loop's goroutine, in a pass, at priority 0, and returns when
// it has run. Each iteration runs one such fn at most. Ask keeps no Run going, and
// no tool is told of it. Any goroutine but the loop's own may call it; there it
// panics. On a loop that nobody runs it waits for the next Run. It returns
// ctx.Err() when ctx is done first and ev.ErrClosed when the loop is closed first:
// fn has not run then, and will not.
var Ask func(ctx context.Context, loop any, fn func()) error

// Part calls see for the next active watchers after the cursor, and returns the
// cursor behind them. It goes through n watchers at most, those that are the
// loop's own included. keeps is what Watcher.Keep said last. Part is called on the
// loop's goroutine.
//
// Between two parts, watchers may start, stop and be armed anew. Each such change
// may have some watchers be missed, or seen twice: Stop puts the last watcher in
// the place of the one stopped, and timers change places in their heap.
var Part func(loop any, from Cursor, n int, see func(watcher any, keeps bool)) Cursor

// Cursor is a place in the walk through the watchers of a loop. The zero value is
// the beginning.
type Cursor struct {
	Timers bool // the watchers that are no Timers are done
	Index  int
	Done   bool
}
