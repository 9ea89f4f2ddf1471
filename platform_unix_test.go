//go:build unix

package ev_test

import (
	"os"
	"testing"
)

// needsKernel skips a test of a detail of the kernel that an emulator of system calls does not
// have. .ci/platforms sets EV_TEST_EMULATOR.
func needsKernel(t testing.TB, detail string) {
	t.Helper()
	if emulator := os.Getenv("EV_TEST_EMULATOR"); emulator != "" {
		t.Skip(emulator, ": ", detail)
	}
}
