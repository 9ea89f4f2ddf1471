package proptest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goevlib/ev"
)

// subject is the real loop.
type subject struct {
	d        *driver
	l        *ev.Loop
	watchers []watcher
	began    time.Time
	pipe     *pipeline    // nil without descriptors
	turn     atomic.Int64 // written around each sleep of the loop's owner
}

// watcher is a watcher of any kind. The field of its kind is set too.
type watcher struct {
	ev.Watcher
	kind      kind
	async     *ev.Async
	queue     *ev.Queue[int]
	timer     *ev.Timer
	periodic  *ev.Periodic
	scheduler *ev.Scheduler
	task      *ev.Task
}

func newSubject(d *driver, pipe *pipeline, opts ...ev.LoopOption) (*subject, error) {
	if d.p.tolerant {
		opts = append(opts, ev.WithPanicHandler(func(w ev.Watcher, v any, _ []byte) {
			name := "a post"
			if w != nil {
				name = w.Name()
			}
			d.handled(name, v)
		}))
	}
	if !d.p.tolerant {
		opts = append(opts, ev.WithLogger(slog.New(logHandler{slog.DiscardHandler, d})))
	}
	l, err := ev.New(opts...)
	if err != nil {
		return nil, err
	}
	m := &subject{d: d, l: l, pipe: pipe, began: time.Now()}
	m.watchers = make([]watcher, len(d.p.watchers))
	for i, s := range d.p.watchers {
		m.make(i, s)
		m.configure(&m.watchers[i], s.n)
	}
	return m, nil
}

func (m *subject) make(i int, s spec) {
	w := &m.watchers[i]
	w.kind = s.kind
	opts := []ev.Option{ev.Priority(s.priority), ev.Name(m.d.p.name(i))}
	switch s.kind {
	case async:
		w.async = ev.NewAsync(m.l, calls[*ev.Async](m, i, 0), opts...)
		w.Watcher = w.async
	case queue:
		w.queue = ev.NewQueue(m.l, queueLimit, m.batches(i, 0), opts...)
		w.Watcher = w.queue
	case timer:
		w.timer = ev.NewTimer(m.l, 0, 0, calls[*ev.Timer](m, i, 0), opts...)
		w.Watcher = w.timer
	case periodic:
		w.periodic = ev.NewPeriodic(m.l, 0, 0, calls[*ev.Periodic](m, i, 0), append(opts, ev.CatchUp(catchesUp(s)))...)
		w.Watcher = w.periodic
	case scheduler:
		w.scheduler = ev.NewScheduler(m.l, m.next(s.n), calls[*ev.Scheduler](m, i, 0), append(opts, ev.CatchUp(catchesUp(s)))...)
		w.Watcher = w.scheduler
	case idle:
		w.Watcher = ev.NewIdle(m.l, calls[*ev.Idle](m, i, 0), opts...)
	case prepare:
		w.Watcher = ev.NewPrepare(m.l, calls[*ev.Prepare](m, i, 0), opts...)
	case check:
		w.Watcher = ev.NewCheck(m.l, calls[*ev.Check](m, i, 0), opts...)
	case cleanup:
		w.Watcher = ev.NewCleanup(m.l, calls[*ev.Cleanup](m, i, 0), opts...)
	case signal:
		w.Watcher = ev.NewSignal(m.l, theSignal, calls[*ev.Signal](m, i, 0), opts...)
	case task:
		w.task = ev.NewTask(m.l, m.taskFunc(i, 0), opts...)
		w.Watcher = w.task
	case pipe:
		w.Watcher = ev.NewIO(m.l, m.pipe.fd(), ev.Read, m.readable(i, 0), opts...)
	}
}

// catchesUp chooses the CatchUp of a Periodic or a Scheduler.
func catchesUp(s spec) bool { return s.n/3%2 == 1 }

// logHandler passes log records to the driver.
type logHandler struct {
	slog.Handler
	d *driver
}

func (h logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h logHandler) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		for _, of := range a.Value.Group() {
			if of.Key == "watcher" {
				h.d.logged(of.Value.String())
			}
		}
		return a.Value.Kind() != slog.KindGroup
	})
	return nil
}

// calls returns the callback of watcher i after so many SetCallbacks.
func calls[W any](m *subject, i, label int) func(W) {
	return func(W) { m.d.callback(i, label, "") }
}

func (m *subject) batches(i, label int) func(*ev.Queue[int], []int) {
	return func(_ *ev.Queue[int], batch []int) { m.d.callback(i, label, fmt.Sprintf(" with %v", batch)) }
}

func (m *subject) readable(i, label int) func(*ev.IO, ev.Events) {
	return func(w *ev.IO, got ev.Events) {
		with := ""
		if got != w.Events() {
			with = fmt.Sprintf(" with %v", got)
		}
		m.d.callback(i, label, with)
	}
}

func (m *subject) next(n int) func(*ev.Scheduler, time.Time) time.Time {
	return func(_ *ev.Scheduler, now time.Time) time.Time { return nextMoment(n, now) }
}

func (m *subject) do(a action) string {
	w := &m.watchers[a.who]
	switch a.op {
	case start:
		return outcome(startWatcher(w.Watcher))
	case stop:
		w.Stop()
	case poke:
		return outcome(m.poke(w, a.n))
	case feed:
		w.Feed(fed(a.n))
	case clearPending:
		return w.Clear().String()
	case invoke:
		w.Invoke(fed(a.n))
	case keep:
		w.Keep(a.n%2 != 0)
	case setPriority:
		return outcome(w.SetPriority(a.n%8 - 4))
	case setCallback:
		m.setCallback(a.who, a.n)
	case setParams:
		return m.configure(w, a.n)
	case setRepeat:
		if w.timer != nil {
			return outcome(w.timer.SetRepeat(m.d.p.newRepeat(a.n)))
		}
	default:
		return m.doLoop(a)
	}
	return "ok"
}

func (m *subject) doLoop(a action) string {
	switch a.op {
	case runNoWait:
		return outcome(m.l.RunNoWait())
	case runOnce:
		return m.run(m.l.RunOnce, a.n)
	case run:
		return m.run(m.l.Run, a.n)
	case invokeAll:
		m.l.Invoke()
	case setInvoke:
		m.l.SetInvoke(m.hook(a.n % 3))
	case post:
		number := a.n % 2
		return outcome(m.l.Post(func() { m.d.posted(number) }))
	case sleep:
		m.sleep(nap(a.n))
	case update:
		m.l.Update()
	case suspend:
		m.l.Suspend()
		m.sleep(nap(a.n))
		m.l.Resume()
	case stopRun:
		m.l.Stop()
	case stopAll:
		m.l.StopAll()
	case ref:
		m.l.Ref()
	case unref:
		m.l.Unref()
	case closeLoop:
		return outcome(m.l.Close())
	}
	return "ok"
}

func (m *subject) run(method func(context.Context) error, n int) string {
	if m.d.p.real {
		return outcome(method(context.Background()))
	}
	at := m.d.deadline(time.Duration(time.Now().UnixNano()), n)
	ctx, cancel := context.WithDeadline(context.Background(), time.Unix(0, int64(at)))
	defer cancel()
	return outcome(method(ctx))
}

// sleep lets other goroutines act meanwhile, with happens-before edges in both
// directions: a Close outside Run calls the Cleanups on the goroutine that closes.
func (m *subject) sleep(d time.Duration) {
	m.turn.Add(1)
	time.Sleep(d)
	m.turn.Add(1)
}

func (m *subject) hook(which int) func(*ev.Loop) {
	switch which {
	case hookInvokes:
		return func(l *ev.Loop) {
			m.d.hook()
			l.Invoke()
		}
	case hookOnly:
		return func(*ev.Loop) { m.d.hook() }
	}
	return nil
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, ev.ErrClosed):
		return "closed"
	case errors.Is(err, ev.ErrFull):
		return "full"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline"
	}
	return "error"
}

// startWatcher calls Start, with or without an error.
func startWatcher(w ev.Watcher) error {
	switch w := w.(type) {
	case interface{ Start() error }:
		return w.Start()
	case interface{ Start() }:
		w.Start()
	}
	return nil
}

func (m *subject) poke(w *watcher, n int) error {
	switch w.kind {
	case async:
		w.async.Send()
	case queue:
		return w.queue.Send(n)
	case timer:
		w.timer.Reset()
	case task:
		w.task.Stop()
		w.task.Start()
	case periodic:
		w.periodic.Reset()
	case scheduler:
		w.scheduler.Reset()
	case signal:
		if n%2 == 0 {
			ev.FeedSignal(theSignal)
		} else {
			m.l.FeedSignal(theSignal)
		}
	case pipe:
		if n%2 == 0 {
			return m.pipe.fill()
		}
		return m.pipe.drain()
	}
	return nil
}

func (m *subject) configure(w *watcher, n int) string {
	switch w.kind {
	case timer:
		return outcome(w.timer.Set(m.d.p.timerSpans(n)))
	case periodic:
		return outcome(w.periodic.Set(m.d.p.slots(n)))
	case scheduler:
		w.scheduler.SetNext(m.next(n))
	}
	return "ok"
}

func (m *subject) setCallback(i, label int) {
	switch w := m.watchers[i].Watcher.(type) {
	case *ev.Async:
		w.SetCallback(calls[*ev.Async](m, i, label))
	case *ev.Queue[int]:
		w.SetCallback(m.batches(i, label))
	case *ev.Timer:
		w.SetCallback(calls[*ev.Timer](m, i, label))
	case *ev.Periodic:
		w.SetCallback(calls[*ev.Periodic](m, i, label))
	case *ev.Scheduler:
		w.SetCallback(calls[*ev.Scheduler](m, i, label))
	case *ev.Idle:
		w.SetCallback(calls[*ev.Idle](m, i, label))
	case *ev.Prepare:
		w.SetCallback(calls[*ev.Prepare](m, i, label))
	case *ev.Check:
		w.SetCallback(calls[*ev.Check](m, i, label))
	case *ev.Cleanup:
		w.SetCallback(calls[*ev.Cleanup](m, i, label))
	case *ev.Signal:
		w.SetCallback(calls[*ev.Signal](m, i, label))
	case *ev.Task:
		w.SetCallback(m.taskFunc(i, label))
	case *ev.IO:
		w.SetCallback(m.readable(i, label))
	}
}

func (m *subject) events(who int) ev.Events { return m.watchers[who].Events() }
func (m *subject) verify() error            { return m.l.Verify() }

func (m *subject) state() string {
	var b strings.Builder
	l := m.l
	fmt.Fprintf(&b, "  iteration %d depth %d pending %d active %d alive %v", l.Iteration(), l.Depth(), l.Pending(), l.Active(), l.Alive())
	for _, w := range m.watchers {
		fmt.Fprintf(&b, "; %s active %v pending %v priority %d", w.Name(), w.Active(), w.Pending(), w.Priority())
		if w.kind == async {
			fmt.Fprintf(&b, " sent %v", w.async.Sent())
		}
		if w.kind == task {
			fmt.Fprintf(&b, " done %v", w.task.Done())
		}
	}
	if m.d.p.real {
		return b.String()
	}
	fmt.Fprintf(&b, "; now %v", sinceEpoch(l.Now())-bubbleEpoch)
	for _, w := range m.watchers {
		switch w.kind {
		case timer:
			fmt.Fprintf(&b, "; %s remaining %v repeat %v", w.Name(), w.timer.Remaining(), w.timer.Repeat())
		case periodic:
			fmt.Fprintf(&b, "; %s at %d", w.Name(), sinceEpoch(w.periodic.At()))
		case scheduler:
			fmt.Fprintf(&b, "; %s at %d", w.Name(), sinceEpoch(w.scheduler.At()))
		}
	}
	return b.String()
}

// sinceEpoch returns a moment as the reference counts. The zero time is never.
func sinceEpoch(t time.Time) time.Duration {
	if t.IsZero() {
		return never
	}
	return time.Duration(t.UnixNano())
}
