//go:build linux || darwin

// Command echo measures servers that echo over TCP on loopback: one loop of
// package ev with callbacks, one with a task per connection, a goroutine per
// connection, cloudwego/netpoll, and libev in C if it is installed.
//
//	go run -C bench ./echo
//
// Each server is a process of its own, new for each cell. The client is this
// process, the same for all: a goroutine per connection sends a message and
// waits for its return, as fast as possible. The client shares the machine's
// cores with the server and takes the larger part of them, so compare rows, and
// look at the server's CPU time per echo. Each round begins with another
// server. The figures are medians of the rounds.
//
// At one connection, runs disagree by more than the servers do, because the system
// runs client and server on one processor in one run and on two in the next. With
// -place together or -place apart, it has no choice (on Linux, with taskset).
//
// netpoll has its default configuration and the handler of its manual. An echo
// needs no work, which suits a single loop: a loop uses one core.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// messageSize is the size of a message, in bytes.
const messageSize = 64

// connections are the numbers of concurrent connections.
var connections = []int{1, 100, 1000}

// serverEnv is the environment variable that makes this process a server. Its
// value is the server's name.
const serverEnv = "EV_BENCH_ECHO_SERVER"

func main() {
	var err error
	if name := os.Getenv(serverEnv); name != "" {
		err = serve(name)
	} else {
		err = run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	each := flag.Duration("d", time.Second, "measure each server and number of connections for this `time`")
	rounds := flag.Int("rounds", 5, "make so `many` rounds")
	only := flag.String("only", "", "measure this `server` once and print CPU time, p50, p99 and echoes/s")
	conns := flag.Int("connections", 1, "the `number` of connections, with -only")
	where := flag.String("place", "free", "run client and server together on one processor, apart on two, or `free` to move")
	flag.Parse()
	at, known := places[*where]
	if !known {
		return fmt.Errorf("-place %s: not free, together or apart", *where)
	}
	if flag.NArg() > 0 || *each <= 0 || *rounds < 1 || *conns < 1 {
		return fmt.Errorf("-d, -rounds and -connections must be positive, and there are no arguments: %q", os.Args[1:])
	}
	if err := at.enter(); err != nil {
		return err
	}
	if *only != "" {
		c, err := measure(*only, at, *conns, *each)
		fmt.Fprintln(out, c.cpu, c.p50, c.p99, c.rate)
		return err
	}
	if program, err := buildLibev(); err != nil {
		fmt.Fprintln(out, "libev left out:", err)
		servers = slices.DeleteFunc(servers, func(s server) bool { return s.name == "libev" })
	} else {
		defer os.RemoveAll(filepath.Dir(program))
	}
	fmt.Fprintf(out, "%s, %s/%s, %d CPUs; %d B messages; %d rounds of %v; %s\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), messageSize, *rounds, *each, *where)
	fmt.Fprintln(out, "| connections | server | echoes/s | p50 µs | p99 µs | server CPU µs/echo | echoes × | p50 × | p99 × |")
	fmt.Fprintln(out, "|--:|---|--:|--:|--:|--:|--:|--:|--:|")
	for _, n := range connections {
		cells := make([][]cell, len(servers))
		for round := range *rounds {
			for i := range servers {
				i = (i + round) % len(servers)
				c, err := measure(servers[i].name, at, n, *each)
				if err != nil {
					return fmt.Errorf("%s, %d connections: %w", servers[i].name, n, err)
				}
				cells[i] = append(cells[i], c)
			}
		}
		base := medians(cells[slices.IndexFunc(servers, func(s server) bool { return s.name == yardstick })])
		for i, s := range servers {
			m := medians(cells[i])
			fmt.Fprintf(out, "| %d | %s | %.0f | %.1f | %.1f | %.2f | %s |\n", n, s.name, m.rate, m.p50, m.p99, m.cpu,
				strings.Join([]string{ratio(m.rate, base.rate), ratio(m.p50, base.p50), ratio(m.p99, base.p99)}, " | "))
		}
	}
	return nil
}

// cell is one measurement of a server, or the medians of several.
type cell struct {
	rate     float64 // echoes per second
	p50, p99 float64 // microseconds
	cpu      float64 // the server's, in microseconds per echo
}

func medians(cells []cell) cell {
	return cell{
		rate: median(cells, func(c cell) float64 { return c.rate }),
		p50:  median(cells, func(c cell) float64 { return c.p50 }),
		p99:  median(cells, func(c cell) float64 { return c.p99 }),
		cpu:  median(cells, func(c cell) float64 { return c.cpu }),
	}
}

func median(cells []cell, of func(cell) float64) float64 {
	values := make([]float64, len(cells))
	for i, c := range cells {
		values[i] = of(c)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

func ratio(a, b float64) string { return fmt.Sprintf("%.2f", a/b) }
