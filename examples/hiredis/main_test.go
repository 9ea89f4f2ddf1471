//go:build cgo

package main

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// programEnv makes the test binary the program.
const programEnv = "EV_EXAMPLE_HIREDIS"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), programEnv+"=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheTour(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed (Debian: redis-server)")
	}
	out, err := program(t, "-n", "1000")
	require.NoError(t, err, out)
	assert.Regexp(t, `^hiredis \d+\.\d+\.\d+, redis-server \d+\.\d+\.\d+\.
pipeline: 2000 commands at once, 2000 right replies, 0\.\d\d\d calls of C for each, none of Go\.
messages: 1000 came, in their order\.
killed: BLPOP got "redis: hiredis: \(\d\) [A-Z][a-z ]+"\.
connected again: the new server has no keys\.
$`, out)
}

func TestArgumentsAreChecked(t *testing.T) {
	for want, args := range map[string][]string{
		"-n must be positive: 0":         {"-n", "0"},
		`unexpected arguments: ["more"]`: {"more"},
	} {
		out, err := program(t, args...)
		assert.Error(t, err)
		assert.Equal(t, "hiredis: "+want+"\n", out)
	}
}
