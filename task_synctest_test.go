package ev_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestTasksInABubbleSleepInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var order []int
		err := ev.RunTask(context.Background(), func(task *ev.Task) error {
			g := ev.NewGroup(task)
			for _, hours := range []int{3, 1, 2} {
				g.Go(func(task *ev.Task) error {
					err := task.Sleep(time.Duration(hours) * time.Hour)
					order = append(order, hours)
					return err
				})
			}
			return g.Wait()
		}, ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		assert.Equal(t, []int{1, 2, 3}, order)
		assert.Equal(t, 3*time.Hour, time.Since(began))
	})
}
