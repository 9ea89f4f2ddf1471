// Package compare times the same scripts on package host and on the event loop
// of goja_nodejs. Both run the same version of goja, so that what differs is the
// loop.
package compare

import (
	"context"
	"embed"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/eventloop"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/jshost/host"
)

//go:embed scripts/*.js
var sources embed.FS

// script does something n times, and leaves in the global result how many it
// has seen done.
type script struct {
	name string
	n    int
	does string
}

var scripts = []script{
	{"chain", 200, "timeouts of 1 ms, one after the other"},
	{"burst", 20_000, "timeouts of 1 to 10 ms at once"},
	{"cancel", 50_000, "timeouts set and cleared"},
	{"immediates", 100_000, "immediates, one after the other"},
	{"async", 20_000, "promises settled by goroutines, 100 at once"},
	{"mixed", 4_000, "of each, in turn, 100 at once"},
	{"microtasks", 200_000, "awaits of what is settled: goja alone"},
}

func (s script) compile() (*goja.Program, error) {
	path := "scripts/" + s.name + ".js"
	src, err := sources.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return goja.Compile(path, string(src), true)
}

// contestant runs a program with n in a runtime of its own, and returns its
// result and the time it took without setting up.
type contestant func(ctx context.Context, program *goja.Program, n int) (result int64, took time.Duration, err error)

func onHost(ctx context.Context, program *goja.Program, n int) (int64, time.Duration, error) {
	loop, err := ev.New()
	if err != nil {
		return 0, 0, err
	}
	defer loop.Close()
	h := host.New(loop, host.Config{})
	vm := h.VM()
	vm.Set("n", n)
	vm.Set("work", func(v int) goja.Value {
		return h.Promise(func(context.Context) (any, error) { return v, nil })
	})
	begun := time.Now()
	err = h.Run(ctx, func(vm *goja.Runtime) error {
		_, err := vm.RunProgram(program)
		return err
	})
	return vm.Get("result").ToInteger(), time.Since(begun), err
}

// onGojaNodejs does not end early with ctx: that loop has no such thing. What its
// callbacks throw is lost, and shows in the result.
func onGojaNodejs(_ context.Context, program *goja.Program, n int) (result int64, took time.Duration, err error) {
	loop := eventloop.NewEventLoop()
	loop.Run(func(vm *goja.Runtime) {
		vm.Set("n", n)
		vm.Set("work", func(v int) goja.Value {
			p, resolve, _ := vm.NewPromise()
			go func() { loop.RunOnLoop(func(*goja.Runtime) { _ = resolve(v) }) }()
			return vm.ToValue(p)
		})
	})
	begun := time.Now()
	loop.Run(func(vm *goja.Runtime) { _, err = vm.RunProgram(program) })
	took = time.Since(begun)
	loop.Run(func(vm *goja.Runtime) { result = vm.Get("result").ToInteger() })
	return result, took, err
}

// Run prints a table of medians. The contestants take turns, round by round and
// first or second, so that what else the machine does hits both.
func Run(ctx context.Context, rounds int, out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "script\thost\tgoja_nodejs\tratio\t")
	for _, s := range scripts {
		ours, theirs, err := s.duel(ctx, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		each := func(d time.Duration) time.Duration { return d / time.Duration(s.n) }
		fmt.Fprintf(t, "%s\t%v\t%v\t%.2f\t  %d %s\n", s.name, each(ours), each(theirs),
			float64(theirs)/float64(ours), s.n, s.does)
	}
	return t.Flush()
}

// duel returns the median time of each contestant.
func (s script) duel(ctx context.Context, rounds int) (ours, theirs time.Duration, err error) {
	contestants := []contestant{onHost, onGojaNodejs}
	times := make([][]time.Duration, len(contestants))
	for round := range rounds {
		for i := range contestants {
			i = (i + round) % len(contestants)
			took, err := s.time(ctx, contestants[i], s.n)
			if err != nil {
				return 0, 0, err
			}
			times[i] = append(times[i], took)
		}
	}
	return median(times[0]), median(times[1]), nil
}

func (s script) time(ctx context.Context, run contestant, n int) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	program, err := s.compile()
	if err != nil {
		return 0, err
	}
	result, took, err := run(ctx, program, n)
	if err == nil && result != int64(n) {
		err = fmt.Errorf("%d done of %d", result, n)
	}
	return took, err
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}
