package evmeter_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

// sourceNamed returns the Source with this name.
func sourceNamed(t *testing.T, r evmeter.Reading, name string) evmeter.Source {
	t.Helper()
	for _, s := range r.Sources {
		if s.Name == name {
			return s
		}
	}
	require.Fail(t, "no source", name)
	return evmeter.Source{}
}

func detailNamed(t *testing.T, m *evmeter.Meter, name string) evmeter.Detail {
	t.Helper()
	d, ok := m.Detail(sourceNamed(t, m.Read(), name).ID)
	require.True(t, ok)
	require.Equal(t, name, d.Source.Name)
	return d
}

func TestSelfIsTheTimeOutsideNestedCallbacksAndRuns(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		fed := ev.NewTimer(l, 0, 0, func(*ev.Timer) { time.Sleep(10 * time.Second) }, ev.Name("fed"))
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			time.Sleep(time.Second)
			timer(l, time.Minute, 2*time.Second, "inner")
			run(t, l)
			time.Sleep(3 * time.Second)
			fed.Feed(ev.TimerEvent)
			l.Invoke()
			time.Sleep(4 * time.Second)
		}, ev.Name("outer")).Start()
		run(t, l)
		r := m.Read()
		self := make(map[string]time.Duration)
		for _, s := range r.Sources {
			self[s.Name] = s.Self
			assert.Equal(t, s.Self, s.Recent, s.Name)
		}
		assert.Equal(t, map[string]time.Duration{"outer": 8 * time.Second, "inner": 2 * time.Second, "fed": 10 * time.Second}, self)
		assert.Equal(t, 80*time.Second, sourceNamed(t, r, "outer").Total)
		assert.Equal(t, 20*time.Second, r.Busy)
	})
}

func TestDetailHasASecondForEachSecond(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		timer(l, 500*time.Millisecond, 100*time.Millisecond, "short")
		timer(l, 1500*time.Millisecond, 2*time.Second, "long")
		run(t, l)
		time.Sleep(time.Second)
		d := detailNamed(t, m, "long")
		var uses []evmeter.Use
		for _, u := range d.History {
			u.Began = time.Time{}
			uses = append(uses, u)
		}
		const half = 500 * time.Millisecond
		assert.Equal(t, []evmeter.Use{ // it was first called in the second second
			{Busy: half, Slowest: half}, {Busy: time.Second, Slowest: 3 * half}, {Busy: half, Calls: 1, Slowest: 4 * half},
		}, uses)
		assert.EqualValues(t, 1, d.Took.Count)
		assert.Equal(t, 2*time.Second, d.Took.Max)
		assert.Equal(t, 2*time.Second, d.Source.Recent)
		assert.Equal(t, 2*time.Second, d.Source.RecentMax)
		seconds := m.Read().History
		assert.Equal(t, seconds[1].Began, d.History[0].Began)
		assert.EqualValues(t, 1, detailNamed(t, m, "short").Took.Count)

		time.Sleep(time.Hour)
		d = detailNamed(t, m, "long")
		assert.Len(t, d.History, len(m.Read().History))
		assert.Zero(t, d.Source.Recent)
		assert.Zero(t, d.Source.RecentMax)
		for _, u := range d.History {
			assert.Zero(t, u.Busy)
		}
		_, ok := m.Detail(3)
		assert.False(t, ok)
		_, ok = m.Detail(-1)
		assert.False(t, ok)
		_, ok = m.Detail(0)
		assert.False(t, ok, "there are no others")
	})
}

func TestACallInProgressIsInTheDetail(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		free := make(chan struct{})
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { <-free }, ev.Name("stuck")).Start()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		for range 3 {
			time.Sleep(time.Hour)
			d := detailNamed(t, m, "stuck")
			assert.Zero(t, d.Source.Calls)
			assert.Len(t, d.History, int(evmeter.Window/time.Second)-1)
			for _, u := range d.History {
				assert.Equal(t, time.Second, u.Busy)
				assert.Greater(t, u.Slowest, 50*time.Minute)
			}
		}
		assert.Equal(t, 3*time.Hour, sourceNamed(t, m.Read(), "stuck").Self)
		close(free)
		require.NoError(t, <-done)
		assert.Equal(t, 3*time.Hour, sourceNamed(t, m.Read(), "stuck").Self)
	})
}

// Sources that take long get their details at the next Read, and the slowest at once.
func TestDetailsAreKeptOfTheSourcesThatTakeLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer l.Close()
		m := evmeter.On(l)
		const n, short = 500, 100
		took := func(i int) time.Duration {
			if i < short {
				return time.Duration(i) * time.Millisecond
			}
			return time.Duration(700-i) * time.Millisecond
		}
		var read time.Time
		for round := range 2 {
			for i := range n {
				timer(l, 0, took(i), fmt.Sprint(i))
			}
			run(t, l)
			if r := m.Read(); round == 0 {
				read = r.At
			}
		}
		for i := range n {
			d := detailNamed(t, m, fmt.Sprint(i))
			kept := i >= short && i < short+100
			assert.Equal(t, kept, !d.Since.IsZero(), i)
			assert.Equal(t, kept, d.Took.Count == 1, i)
			assert.Equal(t, kept, len(d.History) > 0, i)
			assert.Equal(t, kept && i < short+evmeter.SlowestKept, kept && d.Since.Before(read), i)
		}
	})
}

// One long call among sources that take longer in all.
func TestTheSlowestCallsKeepTheirDetails(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		m := evmeter.On(l)
		timer(l, 0, 2*time.Second, "spike")
		for i := range 250 {
			for range 3 {
				timer(l, 0, time.Second, fmt.Sprint(i))
			}
		}
		run(t, l)
		m.Read()
		assert.EqualValues(t, 1, detailNamed(t, m, "spike").Took.Count)
		assert.False(t, detailNamed(t, m, "spike").Since.IsZero())
	})
}
