//go:build unix

package proptest

import (
	"fmt"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/goevlib/ev"
)

const theSignal = syscall.SIGUSR1

var realInCallbacks = slices.DeleteFunc(slices.Clone(inCallbacks), func(o op) bool { return o == sleep || o == suspend })

// real programs run on the system's own backends. Only the order of things is
// compared.
var real = dialect{
	kinds: []kind{async, timer, queue, idle, prepare, check, periodic, cleanup, signal, signal, pipe, pipe},
	inner: realInCallbacks,
	outer: append(repeat(6, start, runNoWait, runOnce, run, poke, poke, start),
		append(repeat(3, stop, feed, post, setParams, keep),
			clearPending, invoke, setPriority, setRepeat, setCallback, update, ref, unref, invokeAll, setInvoke, stopRun, stopAll)...),
	real: true,
}

func TestRandomProgramsOnEveryBackendAgreeWithTheReference(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		for _, wakeup := range wakeups(backend) {
			t.Run(fmt.Sprintf("%v-%v", backend, wakeup), func(t *testing.T) {
				pipe := newPipeline(t)
				dialect := real
				if backend == ev.BackendChan || backend == ev.BackendAFD { // the latter has no pipes
					dialect.kinds = slices.DeleteFunc(slices.Clone(real.kinds), func(k kind) bool { return k == fdKind })
				}
				rapid.Check(t, func(rt *rapid.T) {
					p := dialect.draw(rt)
					compare(rt, p, referenceTrace(p), realTrace(p, pipe, ev.WithBackend(backend), ev.WithWakeup(wakeup)))
				})
			})
		}
	}
}

const fdKind = pipe

// realTrace runs the program in real time. If no event can come, the observer stops the
// loop right before it parks.
func realTrace(p *program, pipe *pipeline, opts ...ev.LoopOption) []string {
	d := newDriver(p)
	func() {
		defer func() {
			if v := recover(); v != nil {
				d.note("the loop panicked: %v\n%s", v, debug.Stack())
			}
		}()
		m, err := newSubject(d, pipe, opts...)
		if err != nil {
			panic(err)
		}
		if err := pipe.drain(); err != nil {
			panic(err)
		}
		m.l.Observe(&ev.Observer{Park: func(time.Time) {
			if !m.somethingReadable() {
				m.l.StopAll()
			}
		}})
		d.m = m
		d.play()
	}()
	return d.trace
}

func (m *subject) somethingReadable() bool {
	return m.pipe.unread > 0 && slices.ContainsFunc(m.watchers, func(w watcher) bool { return w.kind == pipe && w.Active() })
}
