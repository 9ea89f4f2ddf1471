// Command bench measures package ev and its rivals: channels, other loops in
// Go, and libev and libuv in C if a compiler and the libraries are installed.
//
//	go run -C bench .                            # tables on standard output
//	go run -C bench . -md ../docs/performance.md # the page in docs, written anew
//	go run -C bench . -svg DIR                   # charts too
//	go run -C bench . -quick                     # what has a target, in a minute
//
// The contestants of a figure run in turn, round after round, each run in a
// process of its own. The report has the medians of the rounds and their ratios,
// with confidence intervals. On a machine with other work, the ratios are more
// reliable than the times.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
)

// figures returns all figures, in the order of the report.
func figures() []figure {
	return slices.Concat(
		sendFigures(),
		mutexFigures(),
		wakeFigures(),
		situationFigures(),
		timerFigures(),
		heapFigures(),
		memoryFigures(),
		taskFigures(),
		readyFigures(),
		serverFigures(),
		uvFigures(),
	)
}

// settings are the values of the flags.
type settings struct {
	rounds  int
	quick   bool
	list    bool
	only    *regexp.Regexp
	svg, md string
}

func parse(args []string, out io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.IntVar(&s.rounds, "rounds", 6, "make so `many` rounds; intervals of 95 % confidence take 6")
	flags.BoolVar(&s.quick, "quick", false, "measure only what has a target, in a short round, and fail when one is missed by far, 6 times")
	flags.BoolVar(&s.list, "list", false, "list the figures and their contestants")
	only := flags.String("only", "", "measure only figures whose \"group/name\" matches the `regexp`")
	flags.StringVar(&s.svg, "svg", "", "draw a chart of each group into the `directory`")
	flags.StringVar(&s.md, "md", "", "write the report to the `file`, with explanations")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 || s.rounds < 1 {
		return s, errors.New("-rounds must be positive, and there are no arguments")
	}
	if s.quick {
		s.rounds = 1
	}
	var err error
	s.only, err = regexp.Compile(*only)
	return s, err
}

func main() {
	if os.Getenv(figureEnv) != "" {
		serve(os.Stdout)
		return
	}
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// tries is the number of rounds in which the guard must see a target missed by
// far before it fails. It makes one round of each figure, and more only of those.
const tries = 6

// run measures the figures that args select, and reports them. It writes the
// name of each measurement to progress.
func run(args []string, out, progress io.Writer) error {
	s, err := parse(args, progress)
	if err != nil {
		return err
	}
	chosen := choose(figures(), s)
	if s.list {
		list(out, chosen)
		return nil
	}
	r := report{machine: inspect(args), rounds: s.rounds}
	var errs []error
	for _, f := range chosen {
		m := measure(f, s.rounds, s.quick, progress)
		for try := s.rounds; s.quick && try < tries && farOff(m); try++ { // noise, or a fact?
			m.run(try, s.quick, progress)
		}
		errs = append(errs, m.errs...)
		r.measured = append(r.measured, m)
	}
	r.machine.loadAfter = loadAverage()
	if err := r.print(out, s); err != nil {
		errs = append(errs, err)
	}
	if s.quick {
		errs = append(errs, guard(r.measured))
	}
	return errors.Join(errs...)
}

// choose returns the figures that the settings select. The guard needs only
// figures with a target.
func choose(all []figure, s settings) []figure {
	var chosen []figure
	for _, f := range all {
		if !s.only.MatchString(f.key()) {
			continue
		}
		if s.quick {
			f.rivals = slices.DeleteFunc(slices.Clone(f.rivals), func(c contestant) bool { return !f.guarded(c.name) })
		}
		if len(f.rivals) > 0 {
			chosen = append(chosen, f)
		}
	}
	return chosen
}

func list(out io.Writer, chosen []figure) {
	for _, f := range chosen {
		fmt.Fprintf(out, "%s %v\n", f.key(), f.columns)
		for _, c := range f.rivals {
			fmt.Fprintln(out, "\t"+c.name)
		}
	}
}

func (r report) print(out io.Writer, s settings) error {
	var errs []error
	if s.svg != "" {
		var err error
		r.charts, err = r.draw(s.svg)
		errs = append(errs, err)
	}
	if s.md != "" {
		errs = append(errs, r.page(s.md))
	} else {
		errs = append(errs, r.markdown(out))
	}
	return errors.Join(errs...)
}
