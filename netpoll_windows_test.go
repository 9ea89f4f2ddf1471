package ev_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func TestAUDPSocketIsWatched(t *testing.T) {
	l := newLoop(t)
	require.Equal(t, ev.BackendAFD, l.Backend())
	a, b := udpPair(t)
	var got []string
	w := ev.NewIO(l, a, ev.Read, func(w *ev.IO, events ev.Events) {
		assert.Equal(t, ev.Read, events)
		buf := make([]byte, 100)
		n, err := readFD(a, buf)
		require.NoError(t, err)
		got = append(got, string(buf[:n]))
		if len(got) == 3 {
			w.Stop()
		}
	})
	require.NoError(t, w.Start())
	nowait(t, l)
	assert.Empty(t, got)
	go func() {
		for _, m := range []string{"a", "b", "c"} {
			_, err := writeFD(b, []byte(m))
			assert.NoError(t, err)
		}
	}()
	run(t, l)
	assert.Equal(t, []string{"a", "b", "c"}, got)
}

func TestALookAtReadySocketsDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l := newLoop(t)
	a, _ := socketpair(t)
	calls := 0
	startIO(t, l, a, ev.Write, func(*ev.IO, ev.Events) { calls++ })
	nowait(t, l)
	assert.Zero(t, testing.AllocsPerRun(200, func() { _ = l.RunNoWait() }))
	assert.Equal(t, 202, calls)
}
