package ev

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exits runs fn on a goroutine, which fn may end.
func exits(fn func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		fn()
	}()
	<-ended
}

func TestAClockThatWasSetIsFollowedByAllThoughANextFunctionExits(t *testing.T) {
	for name, follow := range map[string]func(l *Loop){
		"in Update": (*Loop).Update,
		"in Run":    func(l *Loop) { _ = l.RunNoWait() },
		"in Resume": func(l *Loop) { l.Suspend(); l.Resume() },
	} {
		t.Run(name, func(t *testing.T) {
			settable(t, -time.Hour, func(l *Loop) {
				exit := false
				s := NewScheduler(l, func(_ *Scheduler, now time.Time) time.Time {
					if exit {
						exit = false
						runtime.Goexit()
					}
					return now.Add(time.Minute)
				}, func(*Scheduler) {})
				s.Start()
				p := NewPeriodic(l, 0, 10*time.Minute, func(*Periodic) {})
				p.Start()
				was := p.At()
				exit = true
				time.Sleep(wallReread) // after that the loop looks at the clock
				exits(func() { follow(l) })
				require.False(t, exit, "it was asked")
				for range 3 {
					time.Sleep(wallReread)
					l.Update()
				}
				assert.Equal(t, was.Add(-time.Hour), p.At(), "it waits for a slot of the clock as it is now")
				assert.NoError(t, l.Verify())
				s.Stop()
				p.Stop()
			})
		})
	}
}

func TestASchedulersFunctionMayLookAtAnEmbeddedLoopWhoseEmbeddedLoopsAreLent(t *testing.T) {
	host, err := New()
	require.NoError(t, err)
	embedded, err := New()
	require.NoError(t, err)
	inner, err := New()
	require.NoError(t, err)
	require.NoError(t, NewEmbed(host, embedded, nil).Start())
	require.NoError(t, NewEmbed(embedded, inner, nil).Start())
	looks := 0
	s := NewScheduler(embedded, func(_ *Scheduler, now time.Time) time.Time {
		looks++
		assert.NoError(t, embedded.Verify())
		return now.Add(time.Hour)
	}, func(*Scheduler) {})
	s.Start()
	embedded.wall = embedded.wall.Add(time.Hour) // the loop will find that it was set
	embedded.reread = true
	NewTimer(host, time.Millisecond, 0, func(*Timer) {}).Start()
	require.NoError(t, host.RunOnce(context.Background()))
	assert.GreaterOrEqual(t, looks, 2)
	assert.NoError(t, host.Close())
	assert.NoError(t, embedded.Close())
	assert.NoError(t, inner.Close())
}
