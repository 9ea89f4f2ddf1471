//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryLineIsPrintedByTheLoopInsideTheMainLoop(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	const lines = 500
	go func() {
		defer w.Close()
		for i := range lines {
			fmt.Fprintf(w, "line %03d\n", i)
		}
	}()
	var out bytes.Buffer
	require.NoError(t, run(int(r.Fd()), &out))
	got := strings.Split(strings.TrimSpace(out.String()), "\n")
	slices.Sort(got) // the workers end in any order
	var want []string
	for i := range lines {
		want = append(want, fmt.Sprintf("LINE %03d", i))
	}
	assert.Equal(t, want, got)
}

// untilTick ends the input at the first tick.
type untilTick struct {
	bytes.Buffer
	input *os.File
}

func (u *untilTick) Write(p []byte) (int, error) {
	u.input.Close()
	return u.Buffer.Write(p)
}

func TestTheTimerTicksWhileNothingElseHappens(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	out := untilTick{input: w}
	require.NoError(t, run(int(r.Fd()), &out))
	assert.Contains(t, out.String(), "0 at work\n")
}
