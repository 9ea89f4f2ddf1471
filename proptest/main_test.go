package proptest

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// TestMain makes rapid check each property more often than by default. The flag is
// parsed later and still overrides that.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "600"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// wakeups returns the wake modes of a backend.
func wakeups(b ev.Backend) []ev.Wakeup {
	if b == ev.BackendChan || b == ev.BackendAFD {
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
