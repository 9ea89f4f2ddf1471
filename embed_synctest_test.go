package ev_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestAnEmbeddedLoopLivesInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		host, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer host.Close()
		embedded, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer embedded.Close()
		e := ev.NewEmbed(host, embedded, nil)
		require.NoError(t, e.Start())
		began, ticks := time.Now(), 0
		ev.NewTimer(embedded, time.Hour, time.Hour, func(*ev.Timer) {
			if ticks++; ticks == 24 {
				e.Stop()
			}
			assert.Equal(t, time.Duration(ticks)*time.Hour, time.Since(began))
		}).Start()
		require.NoError(t, host.Run(t.Context()))
		assert.Equal(t, 24, ticks)
		assert.LessOrEqual(t, host.Iteration(), uint64(25))
	})
}
