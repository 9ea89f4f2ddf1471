// Package ev is an event loop in the manner of libev and pyev. You register
// watchers (asyncs, queues, timers, descriptors, signals, children), and the
// goroutine that runs the loop calls them back: one at a time, by priority, in a
// known order. State that only callbacks use needs no lock.
//
// The loop parks on the Go runtime's own network poller. A parked loop is a
// parked goroutine. It holds no OS thread, so a loop inside a net/http server
// costs as little as any other goroutine.
//
// # Model
//
// [New] makes a [Loop]. One goroutine runs it with [Loop.Run]. A watcher belongs
// to one loop and does nothing until its Start method is called. Run returns when
// no watcher is active, when [Loop.Stop] is called, or when its context is done.
//
// Any goroutine may request a callback with [Async.Send]. If a request is
// outstanding already, Send costs one atomic load. Send makes no system call
// unless the loop is parked, and one wake-up serves all senders. Send carries no
// data; [Queue] carries values. [Loop.Post] and [Call] run a function on the
// loop's goroutine. [Go] runs a function on a goroutine of its own and its result
// handler on the loop's.
//
// # Ownership
//
// One goroutine owns a loop: the goroutine inside Run or, before Run, the
// goroutine that sets the loop up. Methods of the loop and of its watchers must be
// called on that goroutine. Only these are safe for concurrent use:
//
//   - [Async.Send], [Async.Sent], [Queue.Send], [Queue.SendWait]
//   - [Loop.Post], [Call], [FeedSignal], [Default]
//   - [Mailbox.Send], [Mailbox.Close], [Mailbox.Len], [Task.Context]
//   - [Loop.Stop], [Loop.StopAll], [Loop.Close], [Loop.Stats]
//   - for tools that look at a loop from outside: [Loops], [Loop.Observe],
//     [Loop.ID], [Loop.Name], [Loop.String], [Loop.Backend], [Loop.Running],
//     [Loop.Parked] and [Loop.GoroutineID]
//   - the methods that return an argument of a constructor: Loop and Name of every
//     watcher, [Child.Pid], [Embed.Other], [Signal.Signal], [Stat.Path]
//
// None of them blocks on a busy loop, except Call, which waits for its answer, and
// SendWait, which waits for room.
// Code that is not Go (a C thread, another process) sends by way of
// [Async.Notifier].
//
// With EV_DEBUG=1 in the environment, all other methods check the calling
// goroutine. On a wrong one they panic with the name of the method and the stacks
// of both goroutines. The race detector finds the same mistakes when they happen. The
// loop then also logs what is no misuse and yet hardly what was meant, such as a callback
// that holds the loop for 100 ms, or a watcher that was never started.
//
// # Tasks
//
// A [Task] is a watcher whose function may wait in the middle. It is sequential code
// that shares the state of the loop with all callbacks, without a lock. [Spawn] starts
// one. [RunTask] makes a loop, runs one task on it, and closes the loop. The calls that
// wait suspend the task, and the loop goes on: [Task.Sleep], [Task.WaitConn],
// [Task.Join], [Cond.Wait], [Mailbox.Receive], [Group.Wait], and [Await] for work that
// blocks. Package evnet has connections whose Read and Write wait in this way.
//
// # One iteration
//
//  1. Call the Prepares, in a pass of their own. If one of them stops the Run, the
//     iteration ends here.
//  2. Tell the system which descriptors the loop watches now. Then park until an
//     event comes or the next timer is due. The loop does not park if work is
//     waiting or an Idle is active.
//  3. Update [Loop.Now]; a busy loop may leave that to the first method that asks.
//  4. Collect the requests of other goroutines: asyncs, queues, signals, posts.
//  5. Make pending the IOs that are ready, and the Timers, Periodics and
//     Schedulers that are due.
//  6. Take the highest priority that an active Idle has. If nothing of that priority
//     or higher is pending, make pending the Idles of that priority.
//  7. Make pending the Checks, each before everything else of its priority.
//  8. The pass: call everything that is pending. The highest priority comes first.
//     Inside a priority, watchers are called in the order in which they became
//     pending. If a callback feeds a watcher of higher priority, that watcher runs
//     next.
//
// Sends, posts and starts made in a callback take effect in the next iteration. A
// watcher that a callback feeds ([Watcher]) runs in the same pass. A pending watcher
// that a callback stops is not called.
//
// # Promised
//
//   - Every Send on an active Async is followed by a callback that starts after
//     that Send began, unless the watcher is stopped or cleared first.
//   - No update is missed. Data written before a Send is visible in a callback that
//     follows it, also if the Send collapses with others, in any program without
//     data races.
//   - Callbacks never outnumber sends. There is at most one per watcher and
//     iteration.
//   - Send never blocks, allocates, takes a lock, or panics on a closed loop. It
//     makes no system call unless the loop is parked, and at most one per park.
//   - The cost of an iteration grows with the number of sends, not of watchers:
//     an Async that was not sent costs nothing.
//   - After Stop has returned on the loop's goroutine, no callback of that watcher
//     begins. After Close, no descriptor is touched, and Send has no effect.
//   - A Timer never fires early and does not drift. Timers run in the order of
//     their due times, then of their starts. Ticks missed while the loop was held
//     up collapse into one callback.
//   - Sends cannot starve timers and descriptors: between two checks of them, each
//     watcher is called at most once for its sends, and each function posted before
//     the check once. This bounds the number of calls, not their time. Feed adds
//     calls, SetIOInterval delays the check of descriptors, and one check returns at
//     most 4096 ready descriptors.
//   - A task gives the loop back only in its waits. When Stop of a task has returned,
//     its function has returned. A value of a Mailbox and a signal of a Cond that were
//     for a task that is stopped go to the next one.
//   - A panic in a callback leaves Run, unless [WithPanicHandler] is set. The loop
//     can be run again or closed.
//   - A parked loop holds no OS thread, makes no system call and does not wake
//     periodically.
//
// # Not promised
//
//   - One callback per Send or per signal: they collapse. Queue and Post keep
//     everything.
//   - A prompt callback: each waits for the one in progress. A callback that blocks
//     blocks the loop.
//   - Timers more precise than the runtime's, except with BackendEpoll (see
//     [Timer]).
//   - An order among callbacks of different kinds inside one priority, beyond the
//     steps above.
//   - That every iteration finds work: a wake-up can come late and find nothing.
//
// # Looking inside
//
// [WithSlowCallback] logs callbacks that take too long. [WithProfileLabels] splits a
// CPU profile by watcher. In an execution trace (runtime/trace), each callback is a
// region with its watcher's name. An [Observer] is called at each step of a loop.
// These packages are built on it: evmeter (load, latency, callbacks by time),
// evflight (a flight recorder), evexpvar, and, in modules of their own, evdebug (a
// page that shows live loops) and evprom (Prometheus). They cost nothing until they
// are used.
//
// # Platforms
//
// BackendEpoll (Linux) parks on an eventfd in the runtime's poller. From the first
// IO on, it parks on an epoll set of the loop's own, nested in the runtime's.
// BackendKqueue (macOS and the BSDs) parks on a pipe. A kqueue cannot be nested,
// so from the first IO on a helper goroutine waits in kevent, which takes one OS
// thread. BackendChan parks on a channel and has no IO. It exists on every system
// but Plan 9, is the only backend on WebAssembly, and works in a testing/synctest
// bubble. BackendAFD (Windows) parks on a channel too. From the first IO on, which
// can watch sockets only, a helper goroutine waits for the socket driver, which
// takes one OS thread.
//
// On WebAssembly there is one thread, and Run shares it with the page: JavaScript runs
// while the loop is parked, and for a turn every 50 ms if it does not park.
package ev
