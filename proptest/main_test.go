package proptest

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// TestMain has each property checked more often than rapid does by itself; the
// flag, which is parsed later, still overrides that.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "600"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// wakeups are the wake modes that a backend heeds.
func wakeups(b ev.Backend) []ev.Wakeup {
	if b == ev.BackendChan {
		return []ev.Wakeup{ev.WakeAuto}
	}
	return []ev.Wakeup{ev.WakeAuto, ev.WakeWrite, ev.WakeDirect}
}

// newLoop makes a loop that is closed when the test ends.
func newLoop(t testing.TB, opts ...ev.LoopOption) *ev.Loop {
	t.Helper()
	l, err := ev.New(opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}
