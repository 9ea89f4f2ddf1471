// Package evvet is an analyzer that finds mistakes in programs that use package ev:
//
//	go func() { timer.Stop() }() // evvet: Timer.Stop must be called on the loop's goroutine
//
// Command evvet runs it, and package gclplugin makes it a linter of golangci-lint.
//
//	go install github.com/goevlib/ev/evvet/cmd/evvet@latest
//	evvet ./...
//
// # What it finds
//
// Each finding says what to do instead.
//
//   - A method of a loop, a watcher, a Cond, a Mailbox, a Group or a type of package evtime that is
//     called on another goroutine than the loop's, and Spawn, Await and Go there. Other goroutines
//     are those of go statements, of the handlers of net/http, gin, echo and fiber, of
//     time.AfterFunc, context.AfterFunc, sync.WaitGroup.Go, errgroup.Group.Go and the like, and of
//     the work given to ev.Go and ev.Await. The function may be a literal, a variable, a
//     function or a method of the package, and may make the call by way of others.
//   - A call that blocks the loop, in a callback or a task: time.Sleep, requests of net/http,
//     net.Dial and look-ups, queries of database/sql, exec.Cmd.Run, sync.WaitGroup.Wait, a receive
//     from a channel, a send to a channel without a buffer, a select without default, Read and
//     Accept of a connection. ev.Call, Queue.SendWait, evmeter.Ping and evmeter.Inspect wait for
//     the loop itself.
//   - An error of Start that is dropped. The watcher is not active then.
//   - A watcher that is never started.
//   - A batch of a Queue that is kept after the callback, which uses its memory again.
//   - A sync.Mutex that is locked while a task waits, also in Read, Write or Accept of a connection
//     in a function that has the task.
//   - Reset of a one-shot Timer, which stops it.
//
// # What it does not find
//
// It leaves these to EV_DEBUG=1 and to the race detector:
//
//   - Calls by way of another package, of an interface or of a function value that is not known.
//     It looks at one package at a time.
//   - A go statement whose goroutine may be the loop's own: it calls Run, gives the loop to code
//     that may do so, or calls a function that is not known. Calls on the task in whose function
//     the goroutine begins are found there, too.
//   - Watchers that a goroutine gets from a channel, or from a function of another package.
//   - Reads, writes and accepts of a connection that package evnet has not wrapped, in a task.
//   - Mutexes that a function locks for its caller, and the waits of a bufio.Writer, io.ReadFull,
//     fmt.Fprintf and the like, which read or write a connection.
//
// In files _test.go it reports only wrong goroutines, dropped errors and kept batches. Tests block
// loops, and make watchers that are not started, on purpose.
//
// # Correct programs that it reports
//
//   - A goroutine that sets up a loop which is not in Run yet, without calling Run itself.
//   - A callback that receives from a channel which cannot be empty.
//
// A comment //evvet:ignore, with a reason, at the end of the line or on a line of its own before
// it, suppresses what is found in that line.
package evvet
