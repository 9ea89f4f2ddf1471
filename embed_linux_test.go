package ev_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestTheDescriptorsOfAnEmbeddedLoopAreWatchedInEveryHost(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		t.Run("in "+backend.String(), func(t *testing.T) {
			host, embedded := newLoop(t, ev.WithBackend(backend)), newLoop(t, ev.WithBackend(ev.BackendEpoll))
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			defer w.Close()
			embed(t, host, embedded)
			got := make(chan string)
			io := ev.NewConnIO(embedded, r, ev.Read, func(_ *ev.IO, events ev.Events) {
				assert.Equal(t, ev.Read, events)
				buf := make([]byte, 8)
				n, err := r.Read(buf)
				assert.NoError(t, err)
				got <- string(buf[:n])
			})
			start(t, host)
			onLoop(t, host, func() { require.NoError(t, io.Start()) }) // the embedded loop had no set yet
			for _, s := range []string{"one", "two", "three"} {
				before := embedded.Stats().Parks
				_, err = w.WriteString(s)
				require.NoError(t, err)
				assert.Equal(t, s, receive(t, got))
				untilParked(t, embedded, before) // next time it is parked
			}
			_, err = w.WriteString("ready already")
			require.NoError(t, err)
			assert.Equal(t, "ready al", receive(t, got))
			assert.Equal(t, "ready", receive(t, got))
			onLoop(t, host, io.Stop)
		})
	}
}

func TestAReadyDescriptorOfAnEmbeddedLoopWaitsForSweep(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		t.Run("in "+backend.String(), func(t *testing.T) {
			host, embedded := newLoop(t, ev.WithBackend(backend)), newLoop(t, ev.WithBackend(ev.BackendEpoll))
			r, w, err := os.Pipe()
			require.NoError(t, err)
			defer r.Close()
			defer w.Close()
			var called, ready int
			e := ev.NewEmbed(host, embedded, func(*ev.Embed) { called++ })
			require.NoError(t, e.Start())
			require.NoError(t, ev.NewConnIO(embedded, r, ev.Read, func(*ev.IO, ev.Events) { ready++ }).Start())
			nowait(t, host)
			assert.Zero(t, called)
			_, err = w.WriteString("x")
			require.NoError(t, err)
			for range 5 {
				once(t, host)
			}
			nowait(t, host)
			assert.Equal(t, 6, called)
			assert.Zero(t, ready)
			require.NoError(t, e.Sweep())
			require.NoError(t, e.Sweep())
			assert.Equal(t, 2, ready)
		})
	}
}

// The host registers new descriptors with the embedded loop's poller. Stats are exact
// when it parks.
func TestStatsOfAnEmbeddedLoopCountWhatItsHostHasTheSystemToldOf(t *testing.T) {
	embedded := newLoop(t, ev.WithBackend(ev.BackendEpoll))
	host := newLoop(t)
	embed(t, host, embedded)
	ended := goRun(host)
	for i := range 3 {
		parks := host.Stats().Parks
		onLoop(t, host, func() {
			a, _ := socketpair(t)
			startIO(t, embedded, a, ev.Read, func(*ev.IO, ev.Events) {})
		})
		untilParked(t, host, parks)
		assert.EqualValues(t, i+1, embedded.Stats().InterestChanges)
	}
	host.Stop()
	assert.NoError(t, receive(t, ended))
}
