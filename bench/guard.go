package main

import (
	"errors"
	"fmt"
	"strings"
)

// guarded reports whether a target concerns the contestant.
func (f figure) guarded(name string) bool {
	for _, t := range f.targets {
		if t.what == name || t.over == name {
			return true
		}
	}
	return false
}

// verdict is a target with its measured value.
type verdict struct {
	figure, claim string
	got, bound    float64
	slack         float64
	unit          string // "×" for a ratio
	unsteady      bool   // the rounds of one side disagree
}

func (v verdict) met() bool { return v.got <= v.bound }

func (v verdict) String() string {
	return fmt.Sprintf("%s: %s is %s, the bound %s with a slack of %.3g", v.figure, v.claim, v.amount(v.got), v.amount(v.bound), v.slack)
}

func (v verdict) amount(x float64) string {
	if v.unit == "×" {
		return fmt.Sprintf("×%.2f", x)
	}
	return fmt.Sprintf("%.0f %s", x, v.unit)
}

// verdicts judges a figure. A target that could not be measured has no verdict.
func verdicts(m measured) []verdict {
	var all []verdict
	for _, t := range m.targets {
		what, over := m.medians[t.what], m.medians[t.over]
		if what == nil || over == nil && t.over != "" {
			continue
		}
		v := verdict{m.key(), t.what, what[t.column], t.bound, max(t.slack, 1), "", m.disagrees(t.what, t.column)}
		if t.over == "" {
			quantity, unit, _ := strings.Cut(m.columns[t.column], " ")
			v.claim, v.unit = v.claim+", "+quantity, unit
		} else {
			v.claim, v.unit = v.claim+" / "+t.over, "×"
			v.got /= over[t.column]
			v.unsteady = v.unsteady || m.disagrees(t.over, t.column)
			if len(m.columns) > 1 {
				v.claim += ", " + m.columns[t.column]
			}
		}
		all = append(all, v)
	}
	return all
}

func (m measured) disagrees(name string, column int) bool {
	u := m.unsteady[name]
	return u != nil && u[column]
}

// worst is the largest quotient of a measured value and its bound, slack
// included.
func worst(m measured) float64 {
	worst := 0.0
	for _, v := range verdicts(m) {
		worst = max(worst, v.got/(v.bound*v.slack))
	}
	return worst
}

// guard returns an error that names each target missed by more than its slack.
func guard(all []measured) error {
	var errs []error
	for _, m := range all {
		for _, v := range verdicts(m) {
			if v.got <= v.bound*v.slack { // not so for NaN
				continue
			}
			errs = append(errs, fmt.Errorf("missed: %v", v))
		}
	}
	return errors.Join(errs...)
}
