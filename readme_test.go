package ev_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The programs in README.md work as printed: each says in its last comment what
// it prints.
func TestTheProgramsInTheReadmeWork(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("needs the go command")
	}
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		program := block[1]
		file := filepath.Join(t.TempDir(), "main.go")
		require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
		out, err := exec.Command("go", "run", file).CombinedOutput()
		require.NoError(t, err, "%s\n%s", program, out)
		_, want, ok := strings.Cut(program, "// Output:")
		require.True(t, ok, "the program does not say what it prints:\n%s", program)
		assert.Equal(t, strings.TrimSpace(want), strings.TrimSpace(string(out)))
	}
}
