package main

import (
	"errors"
	"fmt"
	"strings"
)

// guarded reports whether a target concerns the contestant.
func (f figure) guarded(name string) bool {
	for _, t := range f.targets {
		if t.what == name || t.over == name || t.or == name {
			return true
		}
	}
	return false
}

// verdict is a target with its measured value.
type verdict struct {
	target
	figure, claim string
	unit          string // "×" for a ratio
	got           interval
}

// met reports whether all of the interval meets the target.
func (v verdict) met() bool {
	if v.least {
		return v.got.low >= v.bound
	}
	return v.got.high <= v.bound
}

// missed reports whether all of the interval misses the target.
func (v verdict) missed() bool { return v.missedBy(1) }

func (v verdict) missedBy(slack float64) bool {
	if v.least {
		return v.got.high < v.bound/slack
	}
	return v.got.low > v.bound*slack
}

// missedByFar reports whether all of the interval misses the target by more than
// its slack.
func (v verdict) missedByFar() bool { return v.missedBy(max(v.slack, 1)) }

func (v verdict) String() string {
	return fmt.Sprintf("%s: %s is %s, the target %s with a slack of %.3g", v.figure, v.claim, v.measured(), v.aim(), max(v.slack, 1))
}

// measured is the interval with its unit.
func (v verdict) measured() string {
	if v.unit == "×" {
		return "×" + v.got.String()
	}
	return strings.TrimSpace(v.got.String() + " " + v.unit)
}

// aim is the target: "≤ ×1.5".
func (v verdict) aim() string {
	sign := "≤"
	if v.least {
		sign = "≥"
	}
	if v.unit == "×" {
		return sign + " ×" + number(v.bound)
	}
	return strings.TrimSpace(sign + " " + number(v.bound) + " " + v.unit)
}

// outcome is the word for the report.
func (v verdict) outcome() string {
	switch {
	case v.met():
		return "met"
	case v.missed():
		return "**missed**"
	}
	return "undecided"
}

// verdicts judges a figure. A target that could not be measured has no verdict.
func verdicts(m measured) []verdict {
	var all []verdict
	for _, t := range m.targets {
		if v, ok := m.judge(t); ok {
			all = append(all, v)
		}
	}
	return all
}

func (m measured) judge(t target) (v verdict, ok bool) {
	v = verdict{target: t, figure: m.key(), claim: t.what}
	if t.over == "" {
		values := m.column(t.what, t.column)
		if values == nil {
			return v, false
		}
		quantity, unit, _ := strings.Cut(m.columns[t.column], " ")
		v.claim, v.unit, v.got = v.claim+", "+quantity, unit, estimate(values)
		return v, true
	}
	v.claim, v.unit = v.claim+" / "+t.over, "×"
	if t.or != "" {
		v.claim += " or " + t.or
	}
	if len(m.columns) > 1 {
		v.claim += ", " + m.columns[t.column]
	}
	v.got, ok = m.ratio(t.what, t.over, t.or, t.column)
	return v, ok
}

// farOff reports whether a target is missed by more than its slack in every
// round.
func farOff(m measured) bool {
	for _, v := range verdicts(m) {
		if v.missedByFar() {
			return true
		}
	}
	return false
}

// guard returns an error that names each target missed by more than its slack.
func guard(all []measured) error {
	var errs []error
	for _, m := range all {
		for _, v := range verdicts(m) {
			if v.missedByFar() {
				errs = append(errs, fmt.Errorf("missed: %v", v))
			}
		}
	}
	return errors.Join(errs...)
}
