//go:build !js

package ev

import "runtime"

// yielder is how a loop that does not park lets others run where nothing preempts it; see yield_js.go.
type yielder struct{}

func (yielder) yield(bool) {
	if runtime.GOARCH == "wasm" {
		runtime.Gosched() // the only thread: no other goroutine runs until this one waits
	}
}
