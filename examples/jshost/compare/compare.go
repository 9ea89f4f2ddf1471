// Package compare times the same scripts on package host and on the event loop
// of goja_nodejs. Both run the same version of goja, so only the loop differs.
package compare

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"io"
	"runtime"
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

// script does something n times, and stores in the global result how many it
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
	{"microtasks", 50_000, "awaits of what is settled: goja alone"},
}

func (s script) compile() (*goja.Program, error) {
	path := "scripts/" + s.name + ".js"
	src, err := sources.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return goja.Compile(path, string(src), true)
}

// contestant runs a program with n in a runtime of its own. It returns the
// result and the time without the setup.
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

// onGojaNodejs does not end early with ctx, because that loop has no context.
// Exceptions of callbacks are lost, which shows in the result.
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

// Run prints a table of medians. A ratio is the median of the ratios of the
// rounds, not the ratio of the medians, because a busy machine slows both down.
func Run(ctx context.Context, rounds int, out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "script\thost\tgoja_nodejs\tratio\t")
	for _, s := range scripts {
		d, err := s.duel(ctx, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(t, "%s\t%v\t%v\t%.2f\t  %d %s\n", s.name,
			s.each(median(d.host)), s.each(median(d.gojaNodejs)), median(d.ratios), s.n, s.does)
	}
	return t.Flush()
}

// duel has the times of the rounds of one script. A ratio above 1 means that
// the host was faster.
type duel struct {
	host, gojaNodejs []time.Duration
	ratios           []float64
}

func (s script) duel(ctx context.Context, rounds int) (d duel, err error) {
	for round := range rounds {
		var ours, theirs time.Duration
		turns := []func() error{
			func() (err error) { ours, err = s.time(ctx, onHost, s.n); return err },
			func() (err error) { theirs, err = s.time(ctx, onGojaNodejs, s.n); return err },
		}
		for i := range turns { // the order changes
			runtime.GC() // do not collect the other's garbage
			if err := turns[(i+round)%len(turns)](); err != nil {
				return d, err
			}
		}
		d.host, d.gojaNodejs = append(d.host, ours), append(d.gojaNodejs, theirs)
		d.ratios = append(d.ratios, float64(theirs)/float64(ours))
	}
	return d, nil
}

func (s script) each(d time.Duration) time.Duration { return d / time.Duration(s.n) }

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

func median[T cmp.Ordered](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}
