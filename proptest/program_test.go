package proptest

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/goevlib/ev"
)

// A program is data: the watchers, the actions of their callbacks, of the loop's owner,
// and of other goroutines. So rapid can shrink it, and two machines can run it.
type program struct {
	watchers []spec
	posts    [][]action // the actions of posted functions, by number
	main     []action
	outside  []outsideAction
	tolerant bool // WithPanicHandler
	real     bool // in real time: nothing depends on how much of it passes
}

type kind int

const (
	async kind = iota
	timer
	queue
	idle
	prepare
	check
	periodic
	scheduler
	cleanup
	signal
	pipe // an IO for reading
	task
)

var kindNames = [...]string{"async", "timer", "queue", "idle", "prepare", "check", "periodic", "scheduler", "cleanup", "signal", "pipe", "task"}

type spec struct {
	kind     kind
	priority int
	n        int        // its parameters
	calls    [][]action // the actions of its first, second ... callback; later ones do nothing
}

type op int

const (
	start op = iota
	stop
	poke // brings the kind's event: Send, Reset, a byte
	feed
	runNoWait
	runOnce
	run
	tryNoWait // and recover
	invoke
	clearPending
	post
	sleep
	update
	stopRun
	stopAll
	keep
	setPriority
	setParams
	setRepeat
	setCallback
	ref
	unref
	invokeAll
	suspend
	setInvoke
	throw // panic
	closeLoop
)

var opNames = [...]string{"start", "stop", "poke", "feed", "RunNoWait", "RunOnce", "Run", "try RunNoWait", "invoke", "clear", "Post", "sleep",
	"Update", "Stop", "StopAll", "keep", "set priority", "set", "set repeat", "set callback", "Ref", "Unref", "Invoke", "Suspend",
	"SetInvoke", "panic", "Close"}

// action is one step, with the number of a watcher and a parameter of the op.
type action struct {
	op  op
	who int
	n   int
}

type outsideAction struct {
	after time.Duration // since the beginning
	action
}

func (a action) String() string { return fmt.Sprintf("%s %d,%d", opNames[a.op], a.who, a.n) }

func (p *program) name(who int) string { return fmt.Sprint(kindNames[p.watchers[who].kind], who) }

func (p *program) String() string {
	var b strings.Builder
	for i, w := range p.watchers {
		fmt.Fprintf(&b, "\n%s: priority %d, n %d, calls %v", p.name(i), w.priority, w.n, w.calls)
	}
	fmt.Fprintf(&b, "\nposts: %v\nmain: %v\noutside: %v\ntolerant: %v\n", p.posts, p.main, p.outside, p.tolerant)
	return b.String()
}

// dialect has the kinds and actions that a machine can run. An action that is listed
// more often comes more often.
type dialect struct {
	kinds   []kind
	inner   []op // in callbacks
	outer   []op // by the owner of the loop
	outside []op // from other goroutines
	real    bool
}

func repeat(n int, ops ...op) []op {
	var all []op
	for range n {
		all = append(all, ops...)
	}
	return all
}

func (d dialect) draw(t *rapid.T) *program {
	n := rapid.IntRange(1, 7).Draw(t, "watchers")
	inner, outer := actions(d.inner, n), actions(d.outer, n)
	watchers := rapid.Custom(func(t *rapid.T) spec {
		return spec{
			kind:     pick(t, d.kinds),
			priority: pick(t, []int{0, 0, 0, 0, 1, -1, 2, -2}),
			n:        uniform(t, 64),
			calls:    rapid.SliceOfN(rapid.SliceOfN(inner, 0, 6), 0, 5).Draw(t, "calls"),
		}
	})
	p := &program{
		watchers: rapid.SliceOfN(watchers, n, n).Draw(t, "specs"),
		posts:    rapid.SliceOfN(rapid.SliceOfN(inner, 0, 4), 2, 2).Draw(t, "posts"),
		tolerant: rapid.Bool().Draw(t, "tolerant"),
		real:     d.real,
	}
	p.keepOnePipe()
	if len(d.outside) > 0 {
		p.outside = drawOutside(t, actions(d.outside, n))
	}
	for who := range p.watchers {
		if rapid.Bool().Draw(t, "started") {
			p.main = append(p.main, action{op: start, who: who})
		}
	}
	for i := range 3 {
		p.main = append(p.main, rapid.SliceOfN(outer, 0, 12).Draw(t, "main")...)
		p.main = append(p.main, action{op: run, n: i})
	}
	return p
}

// keepOnePipe turns all IOs but one into Idles: no order of ready descriptors is
// promised.
func (p *program) keepOnePipe() {
	found := false
	for i := range p.watchers {
		switch w := &p.watchers[i]; {
		case w.kind != pipe:
		case found:
			w.kind = idle
		default:
			found = true
		}
	}
}

// pick and uniform choose with equal probabilities. rapid's own generators prefer small
// values, which would leave most programs without a callback. Both shrink to the first
// value.
func pick[T any](t *rapid.T, from []T) T { return from[uniform(t, len(from))] }

func uniform(t *rapid.T, n int) int {
	i := 0
	for range bits.Len(uint(n-1)) + 2 {
		i <<= 1
		if rapid.Bool().Draw(t, "bit") {
			i |= 1
		}
	}
	return i % n
}

// drawOutside spreads actions over the first milliseconds. No other event has their
// moments, so the order of all events is known.
func drawOutside(t *rapid.T, a *rapid.Generator[action]) []outsideAction {
	var all []outsideAction
	at := time.Duration(0)
	for i, a := range rapid.SliceOfN(a, 0, 8).Draw(t, "outside") {
		at += time.Duration(rapid.IntRange(1, 9).Draw(t, "ms")) * time.Millisecond
		all = append(all, outsideAction{at + fraction(i), a})
	}
	return all
}

func actions(ops []op, watchers int) *rapid.Generator[action] {
	return rapid.Custom(func(t *rapid.T) action {
		return action{
			op:  pick(t, ops),
			who: uniform(t, watchers),
			n:   uniform(t, 64),
		}
	})
}

// fraction is a part of a millisecond, different for each i. Watchers count in whole
// milliseconds: an event at a fraction coincides with no other.
func fraction(i int) time.Duration {
	return time.Duration(rand.New(rand.NewPCG(1, uint64(i))).IntN(int(time.Millisecond)))
}

// The meaning of n.

const (
	ms    = time.Millisecond
	never = time.Duration(math.MaxInt64)

	queueLimit = 3
)

// SetInvoke sets one of these, by n%3; 0 is nil.
const (
	hookInvokes = 1
	hookOnly    = 2 // pending watchers stay pending
)

func fed(n int) ev.Events { return [...]ev.Events{ev.Custom, ev.None, ev.AsyncEvent, ev.Read}[n%4] }

// bubbleEpoch is the beginning of a bubble's clock, the year 2000, since the Unix
// epoch.
const bubbleEpoch = 946684800 * time.Second

var spans = [8]time.Duration{0, 1 * ms, 2 * ms, 3 * ms, 5 * ms, 10 * ms, -1 * ms, 70 * time.Second}

// In real time, a watcher is due at once or not during the test.
var (
	realSpans   = [8]time.Duration{0, 0, -time.Hour, time.Hour, 0, -time.Hour, 2 * time.Hour, time.Hour}
	realOffsets = [4]time.Duration{0, time.Second, 2 * time.Second, 200 * 365 * 24 * time.Hour}
)

// timerSpans are a Timer's after and repeat. Set refuses a repeat below 0.
func (p *program) timerSpans(n int) (after, repeat time.Duration) {
	if p.real {
		return realSpans[n%8], [...]time.Duration{0, 0, 3 * time.Hour, -1}[n/8%4]
	}
	return spans[n%8], spans[n/8]
}

// newRepeat is the argument of SetRepeat, which refuses some.
func (p *program) newRepeat(n int) time.Duration {
	_, repeat := p.timerSpans(n)
	return repeat
}

// slots are a Periodic's offset and interval; Set refuses some.
func (p *program) slots(n int) (offset, interval time.Duration) {
	if p.real {
		return realOffsets[n%4], 0
	}
	offset, interval = spans[n%8], spans[n/8]
	if interval == 0 {
		offset += bubbleEpoch
	}
	return offset, interval
}

// checkSlots reports whether Set accepts the slots.
func checkSlots(offset, interval time.Duration) bool {
	return interval == 0 || interval > 0 && offset >= 0 && offset <= interval
}

func eventOf(k kind) ev.Events {
	if k == signal {
		return ev.SignalEvent
	}
	return ev.AsyncEvent
}

// nap is the time to sleep.
func nap(n int) time.Duration { return spans[n%6] }

// horizon is the longest time of a Run.
func horizon(n int) time.Duration {
	return [...]time.Duration{8 * ms, 20 * ms, 100 * ms, 3 * time.Minute, 0, -ms}[n%6]
}

var (
	errThrown = errors.New("thrown")
	errPast   = errors.New("the next moment is past")
)

// nextMoment is a Scheduler's function. It has no side effects, as the documentation
// requires.
func nextMoment(n int, now time.Time) time.Time {
	d := spans[n%8]
	switch n / 8 {
	case 0:
		return now // the next iteration
	case 1:
		return time.Time{} // there is no next
	case 2:
		return now.Add(-d) // fails, unless d <= 0
	case 3:
		panic(errThrown)
	default:
		return now.Truncate(d + 4*ms).Add(d + 4*ms)
	}
}
