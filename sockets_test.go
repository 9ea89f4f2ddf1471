//go:build unix || windows

package ev_test

import "testing"

// socketpair returns two connected, non-blocking descriptors that are closed after the test,
// unless the test has.
func socketpair(t testing.TB) (a, b int) {
	t.Helper()
	a, b = openSocketpair(t)
	t.Cleanup(func() { _, _ = closeFD(a), closeFD(b) })
	return a, b
}
