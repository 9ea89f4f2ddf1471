//go:build unix

package ev_test

import (
	"fmt"
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

// olderLinux reports whether this is a Linux before that version.
func olderLinux(major, minor int) bool {
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	var x, y int
	n, _ := fmt.Sscanf(string(release), "%d.%d", &x, &y)
	return n == 2 && (x < major || x == major && y < minor)
}
