package proptest

import (
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/goevlib/ev"
)

var inCallbacks = append(repeat(10, start, stop, poke, feed),
	append(repeat(3, runNoWait, runOnce, run, tryNoWait, invoke, clearPending, post, sleep, keep, setPriority, setParams),
		update, stopRun, stopAll, setRepeat, setCallback, ref, unref, invokeAll, suspend, setInvoke, throw, closeLoop)...)

// virtual programs know the time to the nanosecond: it passes only while they or the
// loop sleep.
var virtual = dialect{
	kinds: []kind{async, timer, queue, idle, prepare, check, periodic, scheduler, cleanup, timer, async, task, task, task},
	inner: inCallbacks,
	outer: append(repeat(8, start, runNoWait, runOnce, run, poke),
		append(repeat(4, stop, feed, post, sleep, setParams, keep),
			clearPending, invoke, setPriority, setRepeat, setCallback, update, suspend, ref, unref, invokeAll, setInvoke, stopRun, stopAll, closeLoop)...),
	outside: append(repeat(14, poke), post, post, post, stopRun, stopAll, closeLoop),
}

func TestRandomProgramsInVirtualTimeAgreeWithTheReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := virtual.draw(rt)
		compare(rt, p, referenceTrace(p), virtualTrace(t, p))
	})
}

// compare fails at the first line in which the traces differ.
func compare(t *rapid.T, p *program, want, got []string) {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	if i < len(want) || i < len(got) {
		t.Fatalf("after\n%s\nthe reference has\n%s\nand the loop has\n%s\nin the program%v",
			lines(want[:i]), lines(want[i:min(i+1, len(want))]), lines(got[i:min(i+1, len(got))]), p)
	}
}

func lines(trace []string) string { return strings.Join(trace, "\n") }

func referenceTrace(p *program) []string {
	d := newDriver(p)
	r := newReference(d, bubbleEpoch)
	d.m = r
	d.play()
	r.advance(never-1, false) // actions of other goroutines after the end
	return append(d.trace, d.others...)
}

// virtualTrace runs the program in a bubble. A failure there must not end the bubble's
// test, or rapid could not look for a smaller program.
func virtualTrace(t *testing.T, p *program) (trace []string) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(p)
		defer func() {
			if v := recover(); v != nil {
				d.note("the loop panicked: %v\n%s", v, debug.Stack())
			}
			trace = d.trace
		}()
		m, err := newSubject(d, nil, ev.WithBackend(ev.BackendChan))
		if err != nil {
			panic(err)
		}
		d.m = m
		ended := m.playOutside()
		d.play()
		<-ended
		d.trace = append(d.trace, d.others...)
	})
	return trace
}

// playOutside runs the actions of other goroutines. One goroutine is enough: each
// action has its own moment.
func (m *subject) playOutside() (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		for i, a := range m.d.p.outside {
			time.Sleep(time.Until(m.began.Add(a.after)))
			m.turn.Add(1) // the owner's actions before its sleep happen before this
			m.d.actOutside(i)
			m.turn.Add(1)
		}
	}()
	return ended
}
