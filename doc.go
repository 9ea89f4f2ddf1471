// Package ev is an event loop in the manner of libev and pyev: you register
// watchers (asyncs, queues, timers, descriptors, signals, children), and one
// goroutine calls you back, one at a time, in order, by priority. What those callbacks share needs no
// lock.
//
// The loop parks on the Go runtime's own poller. A parked loop is a parked
// goroutine: it holds no OS thread, so it lives inside a net/http server as
// cheaply as any other goroutine.
//
// # Model
//
// A [Loop] is made by [New] and run by one goroutine, in [Loop.Run]. Watchers are
// made for one loop and do nothing until their Start. Run returns when nothing
// is active any more, on [Loop.Stop], or when its context is done.
//
// Any goroutine may ask for a callback by [Async.Send]: one atomic load if it
// was asked for already, no system call unless the loop is parked, one wake-up
// for all that ask while it is. Sends carry no data; [Queue] does. [Loop.Post]
// and [Call] run a function on the loop, and [Go] runs one off it.
//
// # Ownership
//
// Watchers and the loop are touched by one goroutine only: the one inside Run
// or, before Run, whoever sets it up. The doors open to every goroutine are
// [Async.Send], [Async.Sent], [Queue.Send], [FeedSignal], [Loop.Post], [Call],
// [Loop.Stop], [Loop.StopAll], [Loop.Stats] and [Loop.Close]. None of them waits
// for a busy loop; Call waits for its answer. What is not Go (a thread of C code,
// another process) sends through [Async.Notifier].
//
// Tools that look at loops from outside have some more: [Loops], [Loop.Observe],
// [Loop.ID], [Loop.Name], [Loop.Backend], [Loop.Running], [Loop.Parked] and
// [Loop.Goroutine].
//
// With EV_DEBUG=1 in the environment, every other call checks that it is made on
// the goroutine that is in Run, and panics with its name, and where both goroutines
// are, if not. The race detector finds the same mistakes, if they happen.
//
// # One iteration
//
//  1. Call the Prepares, in a pass of their own. If that stops the Run, it ends
//     here.
//  2. Tell the system which descriptors are of interest now. Park, until
//     something happens or the next timer is due; not at all when something is to
//     be done already, or an Idle is active.
//  3. Update [Loop.Now].
//  4. Collect what other goroutines asked for: asyncs, queues, signals, posts.
//  5. Make pending the IOs that are ready, the timers that are due, the
//     Periodics and Schedulers that are due.
//  6. If nothing of their priority or a higher one is pending, the Idles of the
//     highest priority that has some.
//  7. The Checks, each before everything else of its priority.
//  8. The pass: call everything pending, the highest priority first, inside one
//     priority in the order in which it became pending. A callback that feeds
//     something more urgent sees that run before its own peers.
//
// What a callback sends, posts or starts is for the next iteration. What it
// feeds ([Watcher]) is for this pass. What it stops is not called.
//
// # Promised
//
//   - Every Send on an active Async is followed by a callback that starts after
//     that Send began, unless the watcher is stopped or cleared before.
//   - No update is missed: data written before a Send, coalesced or not, is seen
//     by a callback that follows it, in any program without data races.
//   - Callbacks never outnumber sends; at most one per watcher and iteration.
//   - Send never blocks, allocates, takes a lock, or panics on a closed loop.
//   - After Stop returns, on the loop's goroutine, no callback begins.
//   - A timer never fires early.
//   - Timers and descriptors are looked at once per iteration, whatever is sent:
//     between two looks each watcher is called at most once for its Sends, and each
//     function posted before the collection once. (What callbacks Feed is on top,
//     SetIOInterval holds descriptors back, and a look finds 4096 ready ones at
//     most.) This bounds calls, not time.
//   - A callback's panic leaves Run, unless [WithPanicHandler] says otherwise; the
//     loop can be run again, or closed.
//
// # Not promised
//
//   - One callback per Send, or per signal: they collapse. Use Queue or Post to
//     have everything.
//   - That a callback is prompt: each waits for the one in progress. A callback
//     that blocks blocks the loop.
//   - Timers finer than the runtime's, except with BackendEpoll (see Timer).
//   - The order of callbacks of different kinds, inside one priority, beyond the
//     steps above.
//   - That no iteration is in vain: a wake-up can come late and find nothing.
//
// # Looking inside
//
// [WithSlowCallback] logs the callbacks that hold the others up. With
// [WithProfileLabels] a CPU profile can be split by watcher, and in an execution
// trace (runtime/trace) callbacks are regions with their watchers' names. An
// [Observer] is told what a loop does; on it stand the packages evmeter (how busy,
// how late, which callbacks), evflight (a flight recorder), evexpvar, and in modules
// of their own evdebug (a page that shows live loops) and evprom (for Prometheus).
// None of them costs anything until it is asked for.
//
// # Platforms
//
// BackendEpoll (Linux) parks on an eventfd, BackendKqueue (macOS and the BSDs)
// on a pipe, both in the runtime's poller. With the first IO, BackendEpoll parks
// on an epoll set of the loop's own, nested in the runtime's; BackendKqueue, which
// cannot nest, starts a helper goroutine that waits in kevent and takes one OS
// thread. BackendChan parks on a channel, and has no IO. It exists on every system
// but Plan 9, is what Windows and WebAssembly get, and works in a
// testing/synctest bubble.
package ev
