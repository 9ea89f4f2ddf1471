package ev_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

type report struct {
	w     ev.Watcher
	v     any
	stack string
}

// reported makes a panic handler that keeps its arguments.
func reported() (ev.LoopOption, *[]report) {
	var reports []report
	return ev.WithPanicHandler(func(w ev.Watcher, v any, stack []byte) {
		reports = append(reports, report{w, v, string(stack)})
	}), &reports
}

func explode() { panic("boom") }

func TestThePanicHandlerGetsWatcherValueAndStackAndThePassGoesOn(t *testing.T) {
	handler, reports := reported()
	l := newLoop(t, handler)
	var order journal
	bad := ev.NewTimer(l, 0, time.Hour, func(*ev.Timer) { explode() })
	bad.Start()
	order.due(l, "rest")
	nowait(t, l)
	assert.Equal(t, journal{"rest"}, order)
	assert.True(t, bad.Active())
	require.Len(t, *reports, 1)
	got := (*reports)[0]
	assert.Same(t, bad, got.w)
	assert.Equal(t, "boom", got.v)
	assert.Contains(t, got.stack, "ev_test.explode(")
}

func TestThePanicHandlerGetsNoWatcherForAFunction(t *testing.T) {
	handler, reports := reported()
	l := newLoop(t, handler)
	require.NoError(t, l.Post(explode))
	ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) { explode() })
	ev.Go(l, func() (int, error) {
		return ev.Call(context.Background(), l, func() (int, error) { explode(); return 0, nil })
	}, func(_ int, err error) { assert.ErrorContains(t, err, "boom") })
	run(t, l)
	require.Len(t, *reports, 3)
	for _, got := range *reports {
		assert.True(t, got.w == nil)
		assert.Equal(t, "boom", got.v)
		assert.Contains(t, got.stack, "ev_test.explode(")
	}
}

func TestThePanicHandlerSeesAPanicWithNil(t *testing.T) {
	handler, reports := reported()
	l := newLoop(t, handler)
	dueNow(l, func(*ev.Timer) { panic(nil) }) //nolint:govet // panic(nil) is the subject of the test
	run(t, l)
	require.Len(t, *reports, 1)
	assert.IsType(t, (*runtime.PanicNilError)(nil), (*reports)[0].v)
}

func TestThePanicOfAPanicHandlerLeavesRun(t *testing.T) {
	var order journal
	l := newLoop(t, ev.WithPanicHandler(func(_ ev.Watcher, v any, _ []byte) { panic(fmt.Sprint(v, " again")) }))
	dueNow(l, func(*ev.Timer) { panic("boom") })
	order.due(l, "rest")
	assert.Equal(t, "boom again", panicOf(func() { _ = l.Run(context.Background()) }))
	assert.Zero(t, l.Depth())
	run(t, l)
	assert.Equal(t, journal{"rest"}, order)
}

func TestANilPanicHandlerIsNone(t *testing.T) {
	l := newLoop(t, ev.WithPanicHandler(nil))
	dueNow(l, func(*ev.Timer) { panic("boom") })
	assert.PanicsWithValue(t, "boom", func() { _ = l.Run(context.Background()) })
}

// here returns the source position that is some lines after the caller's.
func here(lines int) string {
	_, file, line, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, line+lines)
}

func TestASlowCallbackIsLoggedWithItsNameAndPosition(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithName("mine"), ev.WithSlowCallback(time.Millisecond),
		ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	at := here(1)
	dueNow(l, func(*ev.Timer) { time.Sleep(2 * time.Millisecond) }, ev.Name("sleeper"))
	run(t, l)
	for _, want := range []string{"ev: slow callback", "loop=mine", "kind=Timer", "watcher=sleeper", "callback=" + at, "took="} {
		assert.Contains(t, log.String(), want)
	}
}

func TestASlowPostIsLoggedWithItsPosition(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	at := here(1)
	require.NoError(t, l.Post(func() { time.Sleep(2 * time.Millisecond) }))
	run(t, l)
	assert.Contains(t, log.String(), "kind=Post")
	assert.Contains(t, log.String(), "callback="+at)
}

func TestASlowCallOrDoneOfGoIsLoggedWithItsPosition(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	var call string
	ev.Go(l, func() (int, error) {
		call = here(1)
		return ev.Call(context.Background(), l, func() (int, error) { time.Sleep(2 * time.Millisecond); return 0, nil })
	}, func(int, error) {})
	run(t, l)
	assert.Contains(t, log.String(), "callback="+call)

	log.Reset()
	at := here(1)
	ev.Go(l, func() (int, error) { return 0, nil }, func(int, error) { time.Sleep(2 * time.Millisecond) })
	run(t, l)
	assert.Contains(t, log.String(), "callback="+at)
}

type sleeper time.Duration

func (d sleeper) sleep(*ev.Timer) { time.Sleep(time.Duration(d)) }

func TestASlowMethodIsLoggedWithItsName(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	dueNow(l, sleeper(2*time.Millisecond).sleep)
	run(t, l)
	assert.Contains(t, log.String(), "ev_test.sleeper.sleep")
}

func TestTheCallbackInForceIsTheOneLogged(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	w := dueNow(l, func(*ev.Timer) {})
	at := here(1)
	w.SetCallback(func(*ev.Timer) { time.Sleep(2 * time.Millisecond) })
	run(t, l)
	assert.Contains(t, log.String(), "callback="+at)
}

func TestAQuickCallbackIsNotLogged(t *testing.T) {
	var log bytes.Buffer
	l := newLoop(t, ev.WithSlowCallback(time.Hour), ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	dueNow(l, func(*ev.Timer) { time.Sleep(time.Millisecond) })
	run(t, l)
	assert.Empty(t, log.String())
}

func TestASlowCallbackThatPanicsIsLoggedAndReported(t *testing.T) {
	var log bytes.Buffer
	handler, reports := reported()
	l := newLoop(t, handler, ev.WithSlowCallback(time.Millisecond),
		ev.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	dueNow(l, func(*ev.Timer) { time.Sleep(2 * time.Millisecond); panic("boom") })
	run(t, l)
	assert.Len(t, *reports, 1)
	assert.Contains(t, log.String(), "ev: slow callback")
}

func TestWithoutALoggerTheDefaultOneIsUsed(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	l := newLoop(t, ev.WithSlowCallback(time.Millisecond), ev.WithLogger(nil))
	dueNow(l, func(*ev.Timer) { time.Sleep(2 * time.Millisecond) })
	run(t, l)
	assert.Contains(t, log.String(), "ev: slow callback")
}
