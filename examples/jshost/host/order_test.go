package host_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The order in which a script of testdata/order prints does not depend on time.
// The order of testdata/timed does. A busy machine can change it, also in Node,
// but not with a bubble's clock.
const (
	order = "testdata/order"
	timed = "testdata/timed"
)

// scripts calls body with each script of a directory and Node's output for it.
func scripts(t *testing.T, dir string, body func(t *testing.T, path, want string)) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.js"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		name := strings.TrimSuffix(path, ".js")
		want, err := os.ReadFile(name + ".txt")
		require.NoError(t, err)
		t.Run(filepath.Base(name), func(t *testing.T) { body(t, path, string(want)) })
	}
}

func prints(t *testing.T, w *world, path, want string) {
	src, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, w.run(string(src)))
	assert.Equal(t, want, w.out.String())
	assert.Empty(t, w.errors.String())
}

func TestCallbacksRunInTheOrderOfNode(t *testing.T) {
	scripts(t, order, func(t *testing.T, path, want string) {
		onEveryBackend(t, func(t *testing.T, w *world) { prints(t, w, path, want) })
	})
}

func TestTimersRunInTheOrderOfNode(t *testing.T) {
	scripts(t, timed, func(t *testing.T, path, want string) {
		inBubble(t, func(t *testing.T, w *world) { prints(t, w, path, want) })
	})
}

func TestNodeHasTheOrderThatIsExpected(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs Node.js to compare with; what it printed once is beside the scripts")
	}
	scripts(t, order, func(t *testing.T, path, want string) {
		got, err := exec.Command(node, path).Output()
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	})
}
