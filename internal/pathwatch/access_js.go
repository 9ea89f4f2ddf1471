package pathwatch

import "syscall"

// copyAccess copies the time of access.
func copyAccess(to, from *syscall.Stat_t) { to.Atime, to.AtimeNsec = from.Atime, from.AtimeNsec }
