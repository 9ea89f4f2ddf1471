package evprom

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func manyLoops(t *testing.T, n int, name func(i int) string) (all []*ev.Loop) {
	t.Helper()
	for i := range n {
		l, err := ev.New(ev.WithBackend(ev.BackendChan), ev.WithName(name(i)))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, l.Close()) })
		all = append(all, l)
	}
	return all
}

// Each label that is tried is an allocation, so the test counts allocations.
func TestNamingLoopsTakesOneTryForEach(t *testing.T) {
	const n = 2000
	for what, name := range map[string]func(i int) string{
		"of one name":                      func(int) string { return "worker" },
		"without a name":                   func(int) string { return "" },
		"of two names, one like a label":   func(i int) string { return []string{"worker", "worker 2"}[i%2] },
		"named as the labels of others":    func(i int) string { return []string{"worker", fmt.Sprint("worker ", i)}[i%2] },
		"of long names with one beginning": func(i int) string { return strings.Repeat("x", maxLabel) + fmt.Sprint(i) },
	} {
		t.Run(what, func(t *testing.T) {
			live := manyLoops(t, n, name)
			c := collector{}
			assert.Less(t, testing.AllocsPerRun(1, func() {
				c.loops = nil
				c.name(live)
			}), 20.0*n)
			labels := make(map[string]bool)
			for _, known := range c.loops {
				labels[known.loop] = true
			}
			assert.Len(t, labels, n, "all differ")
		})
	}
}

func TestALoopThatComesAmongManyTakesTheFirstFreeLabel(t *testing.T) {
	live := manyLoops(t, 100, func(int) string { return "worker" })
	c := collector{}
	c.name(live[:50])
	assert.Equal(t, "worker 50", c.loops[live[49].ID()].loop)
	c.name(append(live[:10:10], live[11:51]...))
	assert.Equal(t, "worker 11", c.loops[live[50].ID()].loop)
	c.name(live[11:])
	assert.Equal(t, []string{"worker", "worker 2", "worker 12", "worker 10"},
		[]string{c.loops[live[51].ID()].loop, c.loops[live[52].ID()].loop, c.loops[live[11].ID()].loop, c.loops[live[60].ID()].loop})
}
