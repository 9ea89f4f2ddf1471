package proptest

import (
	"fmt"
	"strings"
	"time"

	"github.com/goevlib/ev"
)

// machine runs actions. It is the real loop or the reference.
type machine interface {
	do(a action) string // the outcome
	events(who int) ev.Events
	state() string // all that can be seen
	verify() error
}

// driver interprets a program on a machine and records its trace.
type driver struct {
	p      *program
	m      machine
	trace  []string
	called []int // callbacks made, by watcher
	total  int
	closes int      // callbacks of Cleanups in progress
	runs   int      // Runs with a deadline
	others []string // the outcomes of the actions from outside, by number
}

// enough is the number of callbacks of an interesting program. After them every
// callback only ends all Runs, and then each program ends.
const enough = 80

func newDriver(p *program) *driver {
	return &driver{p: p, called: make([]int, len(p.watchers)), others: make([]string, len(p.outside))}
}

func (d *driver) note(format string, args ...any) {
	d.trace = append(d.trace, fmt.Sprintf(format, args...))
}

// play runs the program of the loop's owner.
func (d *driver) play() {
	for _, a := range append(d.p.main[:len(d.p.main):len(d.p.main)], action{op: closeLoop}) {
		d.try(a)
		d.look()
	}
}

// actOutside runs an action of another goroutine, by a method that is safe for
// concurrent use.
func (d *driver) actOutside(i int) {
	a := d.p.outside[i].action
	if k := d.p.watchers[a.who].kind; a.op == poke && k != async && k != queue {
		a.op = post
	}
	defer func() {
		if v := recover(); v != nil {
			d.others[i] = fmt.Sprintf("outside: %v: panic: %s", a, describe(v))
		}
	}()
	d.others[i] = fmt.Sprintf("outside: %v: %s", a, d.m.do(a))
}

// deadline returns the latest end of a Run. It is before the Run begins, or at a
// fraction of a millisecond that no other event has.
func (d *driver) deadline(now time.Duration, n int) time.Duration {
	d.runs++
	if d.p.real {
		return never
	}
	if h := horizon(n); h > 0 {
		return now.Truncate(ms) + h + fraction(1000+d.runs)
	}
	return now
}

// try takes a step and recovers its panic.
func (d *driver) try(a action) {
	defer func() {
		if v := recover(); v != nil {
			d.note("%v: panic: %s", a, describe(v))
		}
	}()
	d.step(a)
}

func (d *driver) step(a action) {
	if d.p.real && a.op == start {
		// A Timer that goes on with its remaining time depends on the clock.
		d.m.do(action{setParams, a.who, d.p.watchers[a.who].n})
	}
	if d.closes > 0 && (a.op == sleep || a.op == suspend) {
		return // a Close on another goroutine calls the Cleanups there, while the owner sleeps too
	}
	switch a.op {
	case throw:
		panic(errThrown)
	case tryNoWait:
		d.try(action{op: runNoWait})
	default:
		d.note("%v: %s", a, d.m.do(a))
	}
}

// callback is called by every watcher. label is the number of its SetCallback.
func (d *driver) callback(who, label int, with string) {
	events := d.m.events(who)
	d.note("%s (%d) called: %v%s", d.p.name(who), label, events, with)
	if d.p.watchers[who].kind == cleanup {
		d.closes++
		defer func() { d.closes-- }()
	}
	n := d.called[who]
	d.called[who]++
	if calls := d.p.watchers[who].calls; n < len(calls) {
		d.perform(calls[n])
	} else {
		d.perform(nil)
	}
	if after := d.m.events(who); after != events {
		d.note("%s: called with %v, which became %v", d.p.name(who), events, after)
	}
	d.look()
}

func (d *driver) posted(number int) {
	d.note("posted %d", number)
	d.perform(d.p.posts[number])
}

// hook is set by SetInvoke.
func (d *driver) hook() {
	d.note("invoke hook")
	d.perform(nil)
}

// handled is set by WithPanicHandler.
func (d *driver) handled(who string, v any) { d.note("handled a panic of %s: %s", who, describe(v)) }

// logged is called for each record of the logger.
func (d *driver) logged(who string) { d.note("logged the past of %s", who) }

// describe returns the text of a panic value. It leaves out the times in a Scheduler's
// failure.
func describe(v any) string {
	text := fmt.Sprint(v)
	if strings.Contains(text, "which is before now") {
		return errPast.Error()
	}
	return text
}

func (d *driver) perform(script []action) {
	if d.total++; d.total > enough {
		d.m.do(action{op: stopAll})
		return
	}
	for _, a := range script {
		d.step(a)
	}
}

func (d *driver) look() {
	d.note("%s", d.m.state())
	if err := d.m.verify(); err != nil {
		d.note("verify: %v", err)
	}
}
