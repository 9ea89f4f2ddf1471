package evflight_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evflight"
)

// onTrack returns the slices of the line with this name.
func onTrack(t *testing.T, slices []event, threads map[uint64]string, name string) (of []event) {
	t.Helper()
	seen := 0
	for thread, n := range threads {
		if n != name {
			continue
		}
		seen++
		for _, e := range slices {
			if *e.Tid == thread {
				of = append(of, e)
			}
		}
	}
	require.Equal(t, 1, seen, "lines with the name %s: %v", name, threads)
	return of
}

func TestATaskHasALineWithItsStepsAndWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		mail := ev.NewMailbox[int](l, 0)
		ev.Spawn(l, func(task *ev.Task) error {
			time.Sleep(time.Second) // it works
			if err := task.Sleep(2 * time.Second); err != nil {
				return err
			}
			time.Sleep(time.Second)
			v, err := mail.Receive(task)
			assert.Equal(t, 1, v)
			return err
		}, ev.Name("walker"))
		ev.NewTimer(l, 10*time.Second, 0, func(*ev.Timer) { _ = mail.Send(1) }, ev.Name("sender")).Start()
		require.NoError(t, l.Run(context.Background()))
		slices, threads := written(t, r)
		track := onTrack(t, slices, threads, "main: Task walker")
		assert.Equal(t, []string{"Task walker 0+1", "Sleep 1+2", "Task walker 3+1", "Mailbox.Receive 4+6", "Task walker 10+0"},
			described(track))
		var categories []string
		for _, e := range track {
			categories = append(categories, e.Cat)
			assert.NotContains(t, e.Args, "unfinished")
		}
		assert.Equal(t, "step wait step wait step", strings.Join(categories, " "))
		assert.Equal(t, []string{"Task walker 0+1", "sleep 1+2", "Task walker 3+1", "sleep 4+6", "Timer sender 10+0", "Task walker 10+0"},
			described(onTrack(t, slices, threads, "main")), "the line of the loop has all")
		assert.Len(t, threads, 2)
	})
}

func TestEachRunOfATaskHasALineOfItsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		task := ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Second) }, ev.Name("again"))
		ev.Spawn(l, func(*ev.Task) error { return nil }, ev.Name("short"))
		require.NoError(t, l.Run(context.Background()))
		task.Start()
		require.NoError(t, l.Run(context.Background()))
		_, threads := written(t, r)
		names := make(map[string]int)
		for _, name := range threads {
			names[name]++
		}
		assert.Equal(t, map[string]int{"main": 1, "main: Task again": 2, "main: Task short": 1}, names)
	})
}

func TestAWaitInProgressIsUnfinished(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		ev.Spawn(l, func(task *ev.Task) error { return task.Sleep(time.Hour) }, ev.Name("sleeper"))
		require.NoError(t, l.RunNoWait())
		time.Sleep(time.Minute)
		slices, threads := written(t, r)
		track := onTrack(t, slices, threads, "main: Task sleeper")
		assert.Equal(t, []string{"Task sleeper 0+0", "Sleep 0+60"}, described(track))
		assert.Equal(t, true, track[1].Args["unfinished"])
		r.Stop()
		time.Sleep(time.Minute)
		slices, threads = written(t, r)
		assert.Equal(t, "Sleep 0+60", described(onTrack(t, slices, threads, "main: Task sleeper"))[1], "until Stop")
	})
}

func TestAStepInProgressIsUnfinished(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop) {
		r := evflight.Start(l, 100)
		ev.Spawn(l, func(task *ev.Task) error {
			if err := task.Sleep(time.Second); err != nil {
				return err
			}
			time.Sleep(time.Second)
			slices, threads := written(t, r)
			track := onTrack(t, slices, threads, "main: Task stuck")
			assert.Equal(t, []string{"Task stuck 0+0", "Sleep 0+1", "Task stuck 1+1"}, described(track))
			assert.Equal(t, true, track[2].Args["unfinished"])
			return nil
		}, ev.Name("stuck"))
		require.NoError(t, l.Run(context.Background()))
	})
}
