package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// These name the run that a child process must make.
const (
	figureEnv     = "EV_BENCH_FIGURE"
	contestantEnv = "EV_BENCH_CONTESTANT"
	quickEnv      = "EV_BENCH_QUICK"
)

// patience is the time after which a run is killed.
const patience = 30 * time.Second

func (f figure) key() string { return f.group + "/" + f.name }

// measured is a figure with the results of its contestants.
type measured struct {
	figure
	medians  map[string][]float64 // by contestant, a value per column; none for an absent one
	unsteady map[string][]bool    // by contestant: whether a column's rounds disagree
	skipped  map[string]string    // by contestant: why it is absent
	errs     []error
}

// measure runs the contestants in turn. Each round begins with another, so that
// other work of the machine affects all of them alike. A contestant that fails
// or is absent is not run again.
func measure(f figure, rounds int, quick bool, progress io.Writer) measured {
	m := measured{figure: f, medians: map[string][]float64{}, unsteady: map[string][]bool{}, skipped: map[string]string{}}
	runs := map[string][][]float64{}
	failed := map[string]bool{}
	for round := range rounds {
		fmt.Fprintf(progress, "%s: round %d of %d\n", f.key(), round+1, rounds)
		for i := range f.rivals {
			c := f.rivals[(i+round)%len(f.rivals)]
			if failed[c.name] || m.skipped[c.name] != "" {
				continue
			}
			values, err := spawn(f, c.name, quick)
			var reason skipped
			switch {
			case errors.As(err, &reason):
				m.skipped[c.name] = reason.Error()
				fmt.Fprintf(progress, "%s: %s left out: %v\n", f.key(), c.name, reason)
			case err != nil:
				failed[c.name] = true
				m.errs = append(m.errs, fmt.Errorf("%s: %s: %w", f.key(), c.name, err))
				fmt.Fprintln(progress, m.errs[len(m.errs)-1])
			default:
				runs[c.name] = append(runs[c.name], values)
			}
		}
	}
	for name, values := range runs {
		if !failed[name] {
			m.medians[name] = medians(values)
			m.unsteady[name] = unsteady(values)
		}
	}
	return m
}

// medians returns the median of each column.
func medians(runs [][]float64) []float64 {
	columns := make([]float64, len(runs[0]))
	for i := range columns {
		values := make([]float64, len(runs))
		for j, run := range runs {
			values[j] = run[i]
		}
		slices.Sort(values)
		columns[i] = (values[(len(values)-1)/2] + values[len(values)/2]) / 2
	}
	return columns
}

// unsteady reports for each column whether its largest value is more than twice
// its smallest. If so, another command may well find another median.
func unsteady(runs [][]float64) []bool {
	columns := make([]bool, len(runs[0]))
	for i := range columns {
		least, most := runs[0][i], runs[0][i]
		for _, run := range runs {
			least, most = min(least, run[i]), max(most, run[i])
		}
		columns[i] = most > 2*least
	}
	return columns
}

// answer is the report of a child process about its run.
type answer struct {
	Values  []float64
	Skipped string `json:",omitempty"`
	Error   string `json:",omitempty"`
}

// spawn makes one run in a process of its own.
func spawn(f figure, name string, quick bool) ([]float64, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), figureEnv+"="+f.key(), contestantEnv+"="+name)
	if quick {
		child.Env = append(child.Env, quickEnv+"=1")
	}
	child.Stderr = os.Stderr
	child.WaitDelay = time.Second // a program that it started may hold the pipe
	out, err := child.Output()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("killed after %v", patience)
	}
	if err != nil {
		return nil, err
	}
	return read(out, len(f.columns))
}

func read(out []byte, columns int) ([]float64, error) {
	var a answer
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, fmt.Errorf("%w: %q", err, out)
	}
	switch {
	case a.Skipped != "":
		return nil, skipped(a.Skipped)
	case a.Error != "":
		return nil, errors.New(a.Error)
	case len(a.Values) != columns:
		return nil, fmt.Errorf("%d values for %d columns", len(a.Values), columns)
	}
	return a.Values, nil
}

// serve is the child's side.
func serve(out io.Writer) {
	var a answer
	values, err := runNamed(os.Getenv(figureEnv), os.Getenv(contestantEnv), os.Getenv(quickEnv) != "")
	var reason skipped
	switch {
	case errors.As(err, &reason):
		a.Skipped = reason.Error()
	case err != nil:
		a.Error = err.Error()
	default:
		a.Values = values
	}
	if err := json.NewEncoder(out).Encode(a); err != nil { // a value that is not a number, say
		_ = json.NewEncoder(out).Encode(answer{Error: err.Error()})
	}
}

func runNamed(key, name string, quick bool) ([]float64, error) {
	for _, f := range figures() {
		if f.key() != key {
			continue
		}
		for _, c := range f.rivals {
			if c.name == name {
				return c.run(quick)
			}
		}
	}
	return nil, fmt.Errorf("there is no contestant %s of %s", name, key)
}
