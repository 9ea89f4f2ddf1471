//go:build unix || js

package pathwatch

import (
	"io/fs"
	"syscall"
)

// identify does nothing: lstat has returned the identity.
func identify(fs.FileInfo) {}

// same compares everything that lstat returns except the layout of the file on its
// device. The system chooses the layout, some time after the change.
func same(a, b fs.FileInfo, unlessRead bool) bool {
	x, y := *a.Sys().(*syscall.Stat_t), *b.Sys().(*syscall.Stat_t)
	x.Blocks, x.Blksize = y.Blocks, y.Blksize
	if unlessRead {
		copyAccess(&x, &y)
	}
	return x == y
}
