//go:build cgo && !asan

package curl_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev/examples/curlmulti/curl"
)

// resident is the memory of this process, C's included, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skipf("memory cannot be measured: %v", err)
	}
	fields := strings.Fields(string(statm))
	require.Greater(t, len(fields), 1)
	pages, err := strconv.Atoi(fields[1])
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// libcurl's handles have kilobytes each. With -asan freed memory is kept for a
// while, so this test would fail. There, the check at the end of the program
// finds the smallest leak.
func TestWhatCHasOfATransferIsFreed(t *testing.T) {
	loop, m := newMulti(t)
	cycle := func(n int) {
		for range n {
			transfer, err := m.Start(curl.Request{URL: "http://127.0.0.1/", Done: func(curl.Result, error) {}})
			require.NoError(t, err)
			transfer.Cancel()
		}
	}
	cycle(1000)
	before := resident(t)
	cycle(30_000)
	assert.Less(t, resident(t)-before, 64<<20)
	run(t, loop)
}
