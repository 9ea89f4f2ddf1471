package ev_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestRunWithAContextThatIsDoneMakesNoIteration(t *testing.T) {
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	for want, ctx := range map[error]context.Context{context.Canceled: canceled, context.DeadlineExceeded: late} {
		onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
			fed := ev.NewAsync(l, func(*ev.Async) { assert.Fail(t, "called") })
			fed.Feed(ev.Custom)
			dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
			assert.Equal(t, want, l.Run(ctx))
			assert.Equal(t, want, l.RunOnce(ctx))
			assert.Zero(t, l.Iteration())
			assert.True(t, fed.Pending())
		})
	}
}

func TestCancellationWakesAParkedLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		for _, runIt := range []func(*ev.Loop, context.Context) error{(*ev.Loop).Run, (*ev.Loop).RunOnce} {
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			parks := l.Stats().Parks
			go func() { ended <- runIt(l, ctx) }()
			untilParked(t, l, parks)
			cancel()
			assert.Equal(t, context.Canceled, receive(t, ended))
		}
		assert.True(t, l.Alive())
	})
}

func TestADeadlineEndsAParkedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		assert.Equal(t, context.DeadlineExceeded, l.Run(ctx))
		assert.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
	})
}

func TestCancellationInACallbackLetsTheRestOfThePassRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		ctx, cancel := context.WithCancel(context.Background())
		busy := ev.NewAsync(l, func(a *ev.Async) { order.note("busy"); a.Send() })
		busy.Start()
		busy.Send()
		dueNow(l, func(*ev.Timer) { order.note("cancel"); cancel() })
		order.due(l, "rest")
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Equal(t, journal{"busy", "cancel", "rest"}, order)
		assert.EqualValues(t, 1, l.Iteration())
	})
}

func TestCancellationBeforeTheFirstPollSkipsThePoll(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ctx, cancel := context.WithCancel(context.Background())
		ev.NewAsync(l, func(*ev.Async) { cancel() }).Feed(ev.Custom)
		dueNow(l, func(*ev.Timer) { assert.Fail(t, "called") })
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Zero(t, l.Iteration())
	})
}

func TestTheOuterContextDoesNotEndANestedRunWithAnother(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		far := farOff(t, l)
		ctx, cancel := context.WithCancel(context.Background())
		dueNow(l, func(*ev.Timer) {
			cancel()
			far.Stop()
			ev.NewTimer(l, 5*time.Millisecond, 0, func(*ev.Timer) { order.note("inner went on") }).Start()
			assert.NoError(t, l.Run(context.Background()))
			far.Start()
		})
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Equal(t, journal{"inner went on"}, order)
	})
}

func TestTheInnerContextEndsOnlyTheNestedRun(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		var order journal
		dueNow(l, func(*ev.Timer) {
			far := farOff(t, l)
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			assert.Equal(t, context.DeadlineExceeded, l.Run(ctx))
			far.Stop()
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { order.note("outer went on") }).Start()
		})
		run(t, l)
		assert.Equal(t, journal{"outer went on"}, order)
	})
}

func TestAContextSharedByNestedRunsEndsAllOfThem(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		farOff(t, l)
		ctx, cancel := context.WithCancel(context.Background())
		var inner error
		dueNow(l, func(*ev.Timer) {
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { cancel() }).Start()
			inner = l.Run(ctx)
		})
		assert.Equal(t, context.Canceled, l.Run(ctx))
		assert.Equal(t, context.Canceled, inner)
	})
}

func TestAContextThatEndsAfterItsRunStopsNoOther(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		old, cancelOld := context.WithCancel(context.Background())
		require.NoError(t, l.Run(old))
		ticks := 0
		ev.NewTimer(l, time.Millisecond, time.Millisecond, func(w *ev.Timer) {
			switch ticks++; ticks {
			case 1:
				nested, cancelNested := context.WithCancel(context.Background())
				assert.NoError(t, l.RunOnce(nested))
				cancelNested()
			case 2:
				cancelOld()
			case 5:
				w.Stop()
			}
		}).Start()
		run(t, l)
		assert.Equal(t, 5, ticks)
	})
}

func TestANilContextPanicsClearly(t *testing.T) {
	l := newLoop(t)
	var none context.Context
	assert.PanicsWithValue(t, "ev: Run: nil context", func() { _ = l.Run(none) })
	assert.PanicsWithValue(t, "ev: RunOnce: nil context", func() { _ = l.RunOnce(none) })
	assert.Zero(t, l.Depth())
	nowait(t, l)
}
