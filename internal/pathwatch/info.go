package pathwatch

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// Path is an absolute path. With Follow it stands for what it resolves to: if the path
// names a symbolic link, for the target of that.
type Path struct {
	Name   string
	Follow bool
}

// Look is os.Lstat or, with Follow, os.Stat, complete at once: Same can compare the result
// with later ones. The result is nil if there is an error.
func (p Path) Look() (fs.FileInfo, error) {
	if p.Name == "" { // for Go's syscall on js and wasip1, an invalid argument
		return nil, &fs.PathError{Op: "lstat", Path: p.Name, Err: syscall.ENOENT}
	}
	look := os.Lstat
	if p.Follow {
		look = os.Stat
	}
	info, err := look(p.Name)
	if p.Follow && errors.Is(err, fs.ErrNotExist) {
		// A link on the way may have been swapped, and the old target removed, in the
		// middle of the look.
		info, err = look(p.Name)
	}
	if err != nil {
		return nil, err
	}
	identify(info)
	return info, nil
}

// Same reports whether two results of Look are equal. nil equals nil only. With Follow the
// time of access does not count.
func (p Path) Same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return same(a, b, p.Follow)
}
