// Package evexpvar publishes the counters of the live loops with package expvar.
// (It is a package of its own because expvar, when imported, adds a page to
// http.DefaultServeMux.)
package evexpvar

import (
	"expvar"

	"github.com/goevlib/ev"
)

// Loop is what is published of each loop.
type Loop struct {
	ID      uint64 `json:"id"`
	Name    string `json:"name"`
	Running bool   `json:"running"` // somebody is in Run
	Parked  bool   `json:"parked"`  // and the loop sleeps
	ev.Stats
}

// Publish has the variable of this name be a list of all loops that are not
// closed, with their Stats, read anew each time. Any goroutine may call it. As
// expvar.Publish, it panics when there is a variable of that name.
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
