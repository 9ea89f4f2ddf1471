package kqueueproof

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

// The random programs of proptest run on a kqueue too.
func TestRandomProgramsRunOnAKqueue(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-v", "-count=1", "-timeout=10m", "-overlay="+overlayOf(t),
		"-run=^(FuzzAPI|TestRandomProgramsOnEveryBackendAgreeWithTheReference)$", ".", "-rapid.checks=200")
	cmd.Dir = filepath.Join(core(t), "proptest")
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "/kqueue-write")
}
