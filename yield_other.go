//go:build !js

package ev

import "runtime"

// yielder is how a loop that does not park lets others run where nothing preempts it. yield_js.go
// has another.
type yielder struct{}

func (yielder) yield(bool) {
	if runtime.GOARCH == "wasm" {
		runtime.Gosched() // the only thread: no other goroutine runs until this one waits
	}
}
