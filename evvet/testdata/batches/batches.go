// Package batches is the input of the analyzer's test for batches that are kept.
package batches

import (
	"slices"
	"sync"

	"github.com/goevlib/ev"
)

type app struct {
	loop    *ev.Loop
	last    []int
	all     []int
	batches [][]int
	byName  map[string][]int
	out     chan []int
}

type message struct{ values []int }

func (a *app) New(wg *sync.WaitGroup, messages *[]message) {
	var captured []int
	q := ev.NewQueue(a.loop, 0, func(q *ev.Queue[int], batch []int) {
		a.last = batch                       // want `the Queue uses the memory of the batch again after the callback: copy it with slices.Clone`
		a.last = batch[1:]                   // want `the Queue uses the memory`
		captured = batch                     // want `the Queue uses`
		a.batches = append(a.batches, batch) // want `the Queue uses`
		a.byName["x"] = batch                // want `the Queue uses`
		a.out <- batch                       // want `the Queue uses`
		q.SetData(len(batch))
		part := batch[:1]
		a.last = part                                                                      // want `the Queue uses`
		*messages = append(*messages, message{values: batch})                              // want `the Queue uses`
		go func() { sum(batch) }()                                                         // want `the Queue uses`
		go sum(batch)                                                                      // want `the Queue uses`
		wg.Go(func() { sum(batch) })                                                       // want `the Queue uses`
		ev.Go(a.loop, func() (int, error) { return sum(batch), nil }, func(int, error) {}) // want `the Queue uses`
		_ = a.loop.Post(func() { sum(part) })                                              // want `the Queue uses`
		a.store(batch)                                                                     // want `the Queue uses`

		a.last = slices.Clone(batch)
		a.all = append(a.all, batch...)
		a.last = append([]int(nil), batch...)
		sum(batch)
		local := [][]int{batch}
		local[0] = batch
		n := batch[0]
		a.byName["y"] = []int{n, len(batch)}
		for _, v := range batch {
			a.all = append(a.all, v)
		}
		batch = batch[:0]
		a.look(batch)
	})
	q.Start()
	named := ev.NewQueue(a.loop, 0, a.drain)
	named.Start()
	sum(captured)
}

func (a *app) drain(_ *ev.Queue[int], batch []int) {
	a.all = batch // want `the Queue uses`
}

func (a *app) store(values []int) { a.last = values }

func (a *app) look(values []int) { a.all = append(a.all, values...) }

func sum(values []int) (n int) {
	for _, v := range values {
		n += v
	}
	return n
}
