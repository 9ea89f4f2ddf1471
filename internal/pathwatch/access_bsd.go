//go:build darwin || freebsd || netbsd

package pathwatch

import "syscall"

// copyAccess copies the time of access.
func copyAccess(to, from *syscall.Stat_t) { to.Atimespec = from.Atimespec }
