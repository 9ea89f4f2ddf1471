package pathwatch

import (
	"errors"
	"syscall"
)

// Check fails for a path that no file can have.
func Check(path string) error {
	_, err := Path{Name: path}.Look()
	if path == "" || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENAMETOOLONG) {
		return err
	}
	return checkName(path, err)
}
