//go:build !unix && !js && !wasip1

package pathwatch

import (
	"io/fs"
	"os"
)

// identify has Windows determine the identity of the file now. By default it does so
// when first asked, and by then the path may name another file.
func identify(info fs.FileInfo) { os.SameFile(info, info) }

func same(a, b fs.FileInfo, _ bool) bool {
	return os.SameFile(a, b) && a.Mode() == b.Mode() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
