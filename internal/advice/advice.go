// Package advice has the sentences that say what to do instead of a mistake. Command evvet ends its
// findings with them, and EV_DEBUG=1 ends its panics and its log messages with them.
package advice

const (
	// OtherGoroutine is for a method that is called on a goroutine other than the loop's.
	OtherGoroutine = "use Loop.Post, ev.Call, Async.Send, Queue.Send or Mailbox.Send"

	// Blocks is for a callback or a task that blocks the loop, or holds it for long.
	Blocks = "do it on another goroutine, by ev.Go in a callback or ev.Await in a task"

	// Sleeps is for a callback or a task that sleeps.
	Sleeps = "use a Timer in a callback, or Task.Sleep in a task"

	// Sends is for a callback or a task that sends to a channel which has no room.
	Sends = "make the channel with a buffer, or send in a select with default"

	// Receives is for a callback or a task that waits for a channel.
	Receives = "let the sender use a Queue, an Async or Loop.Post, or a Mailbox if a task receives"

	// ReadsInIO is for a callback of an IO that reads or accepts, and may find nothing.
	ReadsInIO = "use TryRead or TryAccept of the IO"

	// CallsItself is for ev.Call on the loop's own goroutine.
	CallsItself = "call the function directly, and a function of another loop by ev.Go or ev.Await"

	// SendsToItself is for Queue.SendWait on the loop's own goroutine.
	SendsToItself = "use Queue.Send"

	// NeverStarted is for a watcher that was made and never started.
	NeverStarted = "call its Start, or do not make it"

	// StartFailed is for an error of Start that is not looked at. The watcher is then not active.
	StartFailed = "check the error of Start"

	// BatchKept is for a batch of a Queue that is used after the callback.
	BatchKept = "copy it with slices.Clone"

	// LockHeld is for a mutex that is locked while a task waits.
	LockHeld = "unlock it before the wait, or use a flag and a Cond instead of the mutex"

	// OneShotReset is for Reset of a timer that does not repeat. Reset stops it.
	OneShotReset = "use Timer.Arm, or make the timer with (0, d)"
)
