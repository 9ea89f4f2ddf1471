// Package released is the input of the analyzer's test for a loop whose lock other goroutines take.
package released

import (
	"sync"

	"github.com/goevlib/ev"
)

var mu sync.Mutex

func Run(l *ev.Loop, t *ev.Timer) {
	l.SetRelease(func(*ev.Loop) { mu.Unlock() }, func(*ev.Loop) { mu.Lock() })
	go func() {
		mu.Lock()
		defer mu.Unlock()
		t.Start()
	}()
	go func() {
		t.Start() // want `Timer.Start must be called on the loop's goroutine`
	}()
}
