package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
	rounds  map[string][][]float64 // by contestant, then by round: a value per column; none for an absent one
	skipped map[string]string      // by contestant: why it is absent
	errs    []error
}

// measure runs the contestants in turn, and so on for all rounds.
func measure(f figure, rounds int, quick bool, progress io.Writer) measured {
	m := measured{figure: f, rounds: map[string][][]float64{}, skipped: map[string]string{}}
	began := time.Now()
	for round := range rounds {
		m.run(round, quick, progress)
	}
	fmt.Fprintf(progress, "%s: %d rounds in %.1f s\n", f.key(), rounds, time.Since(began).Seconds())
	return m
}

// run makes one round. Each round begins with another contestant, so that other
// work of the machine affects all of them alike. A contestant that fails or is
// absent is not run again, and has no results: all others have one per round.
func (m *measured) run(round int, quick bool, progress io.Writer) {
	for i := range m.rivals {
		c := m.rivals[(i+round)%len(m.rivals)]
		if m.skipped[c.name] != "" || round > 0 && m.rounds[c.name] == nil {
			continue
		}
		values, err := spawn(m.figure, c.name, quick)
		var reason skipped
		switch {
		case errors.As(err, &reason):
			m.skipped[c.name] = reason.Error()
			fmt.Fprintf(progress, "%s: %s left out: %v\n", m.key(), c.name, reason)
		case err != nil:
			delete(m.rounds, c.name)
			m.errs = append(m.errs, fmt.Errorf("%s: %s: %w", m.key(), c.name, err))
			fmt.Fprintln(progress, m.errs[len(m.errs)-1])
		default:
			m.rounds[c.name] = append(m.rounds[c.name], values)
		}
	}
}

// column returns the values of a contestant in one column, by round; nil for an
// absent one.
func (m measured) column(name string, column int) []float64 {
	var values []float64
	for _, round := range m.rounds[name] {
		values = append(values, round[column])
	}
	return values
}

// ratio compares two contestants round by round: what happens to the machine
// between two rounds affects neither side alone. With a third, the second is, in
// each round, the one with the smaller value.
func (m measured) ratio(what, over, or string, column int) (r interval, ok bool) {
	values, others, alternative := m.column(what, column), m.column(over, column), m.column(or, column)
	if values == nil || others == nil || or != "" && alternative == nil {
		return r, false
	}
	for i := range values {
		if or != "" {
			others[i] = min(others[i], alternative[i])
		}
		values[i] /= others[i]
	}
	return estimate(values), true
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
