// Package evtime has the small things that are made of timers again and again,
// on an ev.Loop: [Debounce], [Throttle], [Ticker] and [Retry].
//
// All of them belong to the loop's goroutine, as watchers do, and all their
// functions are called on it, one at a time. Another goroutine asks by
// ev.Loop.Post, or sends an ev.Async whose callback asks.
//
// Spans count from the moment of the call, not from ev.Loop.Now: a callback that
// was long before it asked does not shorten them. Nothing is early. What waits
// keeps Run going. On a closed loop nothing has an effect.
//
// Each is one ev.Timer, and costs what that costs: a Trigger about a hundred
// nanoseconds or less, and no memory, lock or goroutine. Only a Retry takes memory
// for each Start and each attempt, and has its context watched by
// context.AfterFunc. The options are given to the Timer: with ev.Name it can be
// told from others in the loop's logs, and where ev.Loop.Watchers lists it. Where
// EV_DEBUG=1 finds that another goroutine called, it names the Timer.
package evtime
