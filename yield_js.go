package ev

import (
	"runtime"
	"time"

	"github.com/goevlib/ev/internal/goroutine"
)

// yielder is how a loop that does not park lets others run. There is one thread, which nothing
// preempts. Other goroutines run when the loop yields. JavaScript runs only while all goroutines
// wait: until then no event comes, no promise is settled, and no page is drawn.
type yielder struct {
	last time.Time // of JavaScript's
}

// longestTurn is how long a loop that does not park keeps JavaScript waiting. The browsers call
// more than that a long task.
const longestTurn = 50 * time.Millisecond

// yield is called in each iteration that does not park. mayWait is false in RunNoWait: a function
// that JavaScript has called may call it, and must not wait for JavaScript.
//
// The sleep gives JavaScript a turn if the other goroutines wait. If one of them does not, it ends
// by the runtime's own clock, and JavaScript waits for that goroutine. A shorter sleep would be
// over before the runtime returns to JavaScript. In a testing/synctest bubble, time must not go on.
func (y *yielder) yield(mayWait bool) {
	if !mayWait || time.Since(y.last) < longestTurn {
		runtime.Gosched()
		return
	}
	if goroutine.InBubble() {
		runtime.Gosched()
	} else {
		time.Sleep(time.Millisecond)
	}
	y.last = time.Now()
}
