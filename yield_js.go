package ev

import (
	"runtime"
	"sync"
	"syscall/js"
	"time"
)

// yielder is how a loop that does not park lets others run. There is one thread, which nothing
// preempts. Other goroutines run when the loop yields. JavaScript runs only while all goroutines
// wait: until then no event comes, no promise is settled, and no page is drawn.
type yielder struct {
	last time.Time // of JavaScript's
}

// longestTurn is how long a loop that does not park keeps JavaScript waiting. The browsers call
// more than that a long task. The turn of JavaScript costs 1 to 4 ms, for which setTimeout waits.
const longestTurn = 50 * time.Millisecond

// yield is called in each iteration that does not park. mayWait is false in RunNoWait: a function
// that JavaScript has called may call it, and must not wait for JavaScript.
func (y *yielder) yield(mayWait bool) {
	if !mayWait || time.Since(y.last) < longestTurn {
		runtime.Gosched()
		return
	}
	// A mutex, not a channel: in a testing/synctest bubble it is no durable wait, and the function
	// that JavaScript calls is outside.
	var mu sync.Mutex
	mu.Lock()
	unlock := js.FuncOf(func(js.Value, []js.Value) any { mu.Unlock(); return nil })
	js.Global().Call("setTimeout", unlock, 0)
	mu.Lock()
	unlock.Release()
	y.last = time.Now()
}
