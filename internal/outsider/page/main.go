// Command page serves the pages of evdebug and the metrics of evprom for a loop with a timer and a
// task. It prints the versions of package ev, in the order "as the go command resolved it, as
// ev.Version says", and its address.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
	"github.com/goevlib/ev/evprom"
)

func main() {
	loop, err := ev.New(ev.WithName("kitchen"))
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close()
	orders := 0
	order := ev.NewTimer(loop, 0, 50*time.Millisecond, func(*ev.Timer) { orders++ }, ev.Name("order"))
	order.Start()
	ev.Spawn(loop, func(t *ev.Task) error {
		for {
			if err := t.Sleep(time.Second); err != nil {
				return err
			}
			orders = 0
		}
	}, ev.Name("cook"))

	prometheus.MustRegister(evprom.NewCollector())
	http.Handle("/debug/ev/", evdebug.Handler())
	http.Handle("/metrics", promhttp.Handler())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(listener, nil)) }()
	fmt.Println(resolved(), "v"+ev.Version)
	fmt.Printf("http://%v\n", listener.Addr())

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := loop.Run(ctx); err != nil && ctx.Err() == nil {
		log.Print(err)
	}
}

// resolved is the version of package ev in this program.
func resolved() string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == "github.com/goevlib/ev" {
			return dep.Version
		}
	}
	return "(devel)"
}
