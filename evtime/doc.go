// Package evtime has helpers that are made of timers, for an ev.Loop: [Debounce],
// [Throttle], [Ticker], [Retry] and [BootTimer].
//
// Their methods must be called on the loop's goroutine, as those of watchers. Their callbacks
// are called on it, one at a time. From another goroutine, use ev.Loop.Post, or send to an
// ev.Async whose callback makes the call.
//
// Spans count from the moment of the call, not from ev.Loop.Now: a callback that has run for
// long does not shorten them. Nothing happens early. A call that is due later keeps Run going.
// On a closed loop the methods have no effect.
//
// Each helper but BootTimer is one ev.Timer, which gets the constructor's options. With ev.Name, it
// can be told from others in logs and in ev.Loop.Watchers. With EV_DEBUG=1, a call on another
// goroutine panics and names the Timer.
//
// # Cost
//
// A Trigger takes about a hundred nanoseconds or less. It needs no memory, lock or goroutine.
// A Retry allocates for each Start and each attempt, and watches its context with
// context.AfterFunc.
package evtime
