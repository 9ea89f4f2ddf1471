package repocheck

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A copy of a loop or a watcher does not work, and go vet reports it.
func TestVetReportsACopyOfALoopOrAWatcher(t *testing.T) {
	atRoot(t)
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("needs the go command")
	}
	program := "package copies\n\nimport \"github.com/goevlib/ev\"\n"
	types := []string{"ev.Loop"}
	for name := range exportedNames(t) {
		if kind, ok := strings.CutSuffix(name, ".Start"); ok {
			types = append(types, "ev."+kind)
		}
	}
	require.Greater(t, len(types), 10)
	for i, name := range types {
		if name == "ev.Queue" {
			types[i] = "ev.Queue[int]"
		}
		program += fmt.Sprintf("\nfunc copy%d(p *%s) { v := *p; _ = &v }\n", i, types[i])
	}
	dir := newModule(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "copies.go"), []byte(program), 0o600))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "vet", "-copylocks", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%s", out)
	for _, name := range types {
		assert.Contains(t, string(out), "assignment copies lock value to v: github.com/goevlib/"+name+" contains", name)
	}
	assert.Equal(t, len(types), strings.Count(string(out), "copies lock value"), "%s", out)
}
