package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheDemoRunsToItsEnd(t *testing.T) {
	var out, complaints bytes.Buffer
	require.NoError(t, run(context.Background(), options{}, &out, &complaints))
	assert.Equal(t, `1. first what is running
2. then microtasks
3. then immediates, which were asked for in a callback
4. then timers
/a,/b,/c answered, ms: N
AbortError: This operation was aborted
tick 1
tick 2
tick 3
`, regexp.MustCompile(`ms: \d+`).ReplaceAllString(out.String(), "ms: N"))
	assert.Empty(t, complaints.String())
}

func write(t *testing.T, name, src string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(src), 0o600))
	return path
}

func TestAScriptMayRequireAModuleBesideIt(t *testing.T) {
	path := write(t, "main.js", `console.log(require('./other').answer)`)
	other := filepath.Join(filepath.Dir(path), "other.js")
	require.NoError(t, os.WriteFile(other, []byte(`exports.answer = 42`), 0o600))
	var out bytes.Buffer
	require.NoError(t, run(context.Background(), options{script: path}, &out, io.Discard))
	assert.Equal(t, "42\n", out.String())
}

func TestAnErrorIsShownWithItsStack(t *testing.T) {
	path := write(t, "main.js", "function inner() { throw new Error('oops') }\nsetTimeout(function outer() { inner() }, 1)")
	got := message(run(context.Background(), options{script: path}, io.Discard, io.Discard))
	assert.Regexp(t, `(?s)^Error: oops\n.*inner.*main.js:1:.*outer.*main.js:2:`, got)
}

func TestAScriptThatNeverEndsIsStoppedByItsTimeout(t *testing.T) {
	path := write(t, "main.js", `for (;;);`)
	err := run(context.Background(), options{script: path, timeout: 1}, io.Discard, io.Discard)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAFileThatIsMissingIsNamed(t *testing.T) {
	err := run(context.Background(), options{script: "missing.js"}, io.Discard, io.Discard)
	assert.True(t, errors.Is(err, os.ErrNotExist))
	assert.ErrorContains(t, err, "missing.js")
}

func TestArgumentsThatMakeNoSenseAreNamed(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"a.js", "b.js"}, `one script at a time, not 2: ["a.js" "b.js"]`},
		{[]string{""}, "empty file name"},
		{[]string{"-bench", "3", "a.js"}, "-bench has scripts of its own"},
		{[]string{"-bench", "-3"}, "-bench must not be negative: -3"},
		{[]string{"-timeout", "-1s"}, "-timeout must not be negative: -1s"},
	} {
		_, err := parse(c.args, io.Discard)
		assert.EqualError(t, err, c.want)
	}
}
