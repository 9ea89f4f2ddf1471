package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

type garden struct {
	loop  *ev.Loop
	water *ev.Timer
	frost *ev.Periodic
	seeds *ev.Queue[string]
	all   [][]string
	dry   int
}

func newGarden(loop *ev.Loop) *garden {
	g := &garden{loop: loop}
	g.water = ev.NewTimer(loop, time.Hour, time.Hour, func(*ev.Timer) { g.sprinkle() })
	g.water.Start()
	g.seeds = ev.NewQueue(loop, 0, g.sow)
	g.seeds.Start()
	g.frost = ev.NewPeriodic(loop, 0, 24*time.Hour, func(*ev.Periodic) { fmt.Println("frost?") }) // mistake: never started
	end := ev.NewSignal(loop, os.Interrupt, func(*ev.Signal) { loop.Stop() })
	end.Start() // mistake: the error is dropped
	return g
}

func (g *garden) sprinkle() {
	time.Sleep(time.Second) // mistake: the loop stands still
	g.dry = 0
}

func (g *garden) sow(_ *ev.Queue[string], batch []string) {
	g.all = append(g.all, batch) // mistake: the batch is kept
}

func (g *garden) serve() {
	http.HandleFunc("/water", func(w http.ResponseWriter, _ *http.Request) {
		g.water.Feed(ev.TimerEvent) // mistake: a handler runs on another goroutine
		io.WriteString(w, "watered\n")
	})
	go func() { log.Print(http.ListenAndServe("127.0.0.1:8080", nil)) }()
}

func (g *garden) chores() {
	time.AfterFunc(time.Minute, func() {
		g.water.Stop() // mistake: so does a function of AfterFunc
	})
	go g.rain() // calls Reset

	var helpers sync.WaitGroup
	helpers.Go(func() {
		g.water.SetRepeat(time.Minute) // mistake: and one of WaitGroup.Go
	})

	ev.Go(g.loop, func() (int, error) {
		return g.loop.Active(), nil // mistake: the work of Go is not done on the loop
	}, func(n int, err error) { fmt.Println(n, err) })

	check := ev.NewAsync(g.loop, func(*ev.Async) {
		n, err := ev.Call(context.Background(), g.loop, func() (int, error) { return g.dry, nil }) // mistake: the loop waits for itself
		fmt.Println(n, err)
	})
	check.Start()
	check.Send()
}

func (g *garden) rain() {
	for range time.Tick(time.Hour) {
		g.water.Reset() // mistake: the goroutine of rain does not own the loop
	}
}
