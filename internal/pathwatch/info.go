package pathwatch

import (
	"io/fs"
	"os"
)

// Lstat is os.Lstat, complete at once: Same can compare the result with later ones. The
// result is nil if there is an error.
func Lstat(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	identify(info)
	return info, nil
}

// Same reports whether two results of Lstat are equal. nil equals nil only.
func Same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return same(a, b)
}
