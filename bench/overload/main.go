// Command overload measures a web server's latency while other goroutines of
// its process make a million sends per second:
//
//	go run -C bench ./overload            # a few seconds of each
//	go run -C bench ./overload -d 1m      # a minute of each, in each round
//
// The server is a process of its own, new for each cell. This process is its
// client, the same for all. It makes requests at a fixed rate, far below the
// server's capacity. If a request had to wait for its turn, its latency counts
// from that turn, so a stall of the server shows. Each round begins with
// another contestant. Ratios are to the server alone in the same round. The
// printed values are medians of the rounds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"time"
)

// serverEnv is the environment variable that makes this process a server. Its
// value names the contestant.
const serverEnv = "EV_BENCH_OVERLOAD_SERVER"

func main() {
	var err error
	if name := os.Getenv(serverEnv); name != "" {
		err = serve(name, os.Stdin, os.Stdout)
	} else {
		err = run(os.Args[1:], os.Stdout, os.Stderr)
	}
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(1)
	}
}

// cell is one run of one contestant.
type cell struct {
	p50, p99, p999 time.Duration
	did
}

func run(args []string, out, progress io.Writer) error {
	flags := flag.NewFlagSet("overload", flag.ContinueOnError)
	flags.SetOutput(progress)
	each := flags.Duration("d", 3*time.Second, "measure each contestant for this `time`")
	rounds := flags.Int("rounds", 5, "make so `many` rounds")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *each < 100*time.Millisecond || *rounds < 1 {
		return fmt.Errorf("-d must be 100ms at least, -rounds positive, and there are no arguments: %q", args)
	}
	cells := make([][]cell, len(contestants)) // by contestant, then round
	for round := range *rounds {
		for i := range contestants {
			i := (i + round) % len(contestants)
			fmt.Fprintf(progress, "round %d of %d: %s\n", round+1, *rounds, contestants[i].name)
			c, err := measure(contestants[i].name, *each)
			if err != nil {
				return fmt.Errorf("%s: %w", contestants[i].name, err)
			}
			cells[i] = append(cells[i], c)
		}
	}
	fmt.Fprintf(out, "%s, %s/%s, %d CPUs; %d requests/s; %d rounds of %v\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), requestRate, *rounds, *each)
	table(out, cells)
	return nil
}

// table writes the table. The others are compared with the first contestant.
func table(out io.Writer, cells [][]cell) {
	fmt.Fprintln(out, "| beside the server | p50 µs | p99 µs | p99.9 µs | p50 × | p99 × | p99.9 × | sends/s | callbacks/s |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for i, runs := range cells {
		median := func(of func(c, alone cell) float64) float64 {
			var values []float64
			for round, c := range runs {
				values = append(values, of(c, cells[0][round]))
			}
			slices.Sort(values)
			return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
		}
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %.0f | %.2f | %.2f | %.2f | %.0f | %.0f |\n", contestants[i].name,
			median(func(c, _ cell) float64 { return micros(c.p50) }),
			median(func(c, _ cell) float64 { return micros(c.p99) }),
			median(func(c, _ cell) float64 { return micros(c.p999) }),
			median(func(c, alone cell) float64 { return ratio(c.p50, alone.p50) }),
			median(func(c, alone cell) float64 { return ratio(c.p99, alone.p99) }),
			median(func(c, alone cell) float64 { return ratio(c.p999, alone.p999) }),
			median(func(c, _ cell) float64 { return float64(c.Sends) / c.Seconds }),
			median(func(c, _ cell) float64 { return float64(c.Callbacks) / c.Seconds }))
	}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }
