package ev

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// When the clock was set, the host visits its embedded loops and calls the functions of
// Schedulers. Such a function may stop Embeds. The host must visit the other loops all
// the same.
func TestEmbedsStoppedInTheHostsLookAtItsEmbeddedLoops(t *testing.T) {
	for _, sleep := range []bool{false, true} {
		var loops [6]*Loop
		for i := range loops {
			l, err := New()
			require.NoError(t, err)
			defer l.Close()
			loops[i] = l
		}
		host, first, second, third, below, beside := loops[0], loops[1], loops[2], loops[3], loops[4], loops[5]
		embed := func(l, other *Loop) *Embed {
			e := NewEmbed(l, other, nil)
			require.NoError(t, e.Start())
			return e
		}
		a, b, c, d, e := embed(host, first), embed(host, second), embed(host, third), embed(second, below), embed(second, beside)
		looks := 0
		s := NewScheduler(below, func(_ *Scheduler, now time.Time) time.Time {
			if looks++; looks == 2 { // the first was Start's
				a.Stop()
				b.Stop()
			}
			return now.Add(time.Hour)
		}, func(*Scheduler) {})
		s.Start()
		called := false
		NewTimer(third, 0, 0, func(*Timer) { called = true }).Start()

		below.wall, below.reread = below.wall.Add(-2*time.Hour), true
		host.delegateAll(sleep)
		assert.Equal(t, 2, looks)
		assert.True(t, c.delegated)
		for _, gone := range []*Embed{a, b, d, e} {
			assert.False(t, gone.delegated || gone.proxied || gone.other.delegated)
		}
		host.recallAll()
		require.NoError(t, host.RunNoWait())
		assert.True(t, called)
		for _, l := range loops {
			assert.NoError(t, l.Verify())
		}
	}
}
