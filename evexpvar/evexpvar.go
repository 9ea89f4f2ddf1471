// Package evexpvar publishes the counters of all live loops with package expvar. It imports
// expvar, which adds a page to http.DefaultServeMux.
package evexpvar

import (
	"expvar"

	"github.com/goevlib/ev"
)

// Loop is the published form of a loop.
type Loop struct {
	ID      uint64 `json:"id"`
	Name    string `json:"name"`
	Running bool   `json:"running"` // a goroutine is in Run
	Parked  bool   `json:"parked"`  // the loop sleeps
	ev.Stats
}

// Publish publishes a variable with this name. Its value is a list of a Loop for each loop
// that is not closed. The list is made anew for each reader. Publish is safe for concurrent
// use. Like expvar.Publish, it panics if a variable of that name exists.
func Publish(name string) {
	expvar.Publish(name, expvar.Func(func() any { return loops() }))
}

func loops() []Loop {
	all := []Loop{} // not null in JSON
	for _, l := range ev.Loops() {
		all = append(all, Loop{l.ID(), l.Name(), l.Running(), l.Parked(), l.Stats()})
	}
	return all
}
