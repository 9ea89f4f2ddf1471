package pathwatch

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"unicode/utf16"

	"golang.org/x/sys/windows"
)

// The longest path and the longest name in it, in units of UTF-16.
const (
	maxPath = 32767
	maxName = 255
)

// checkName fails if lstat has refused the path for a character in it, such as '<' or '*', or for
// its length. For a name that is too long, Windows may say too that there is no such file.
func checkName(path string, lstat error) error {
	if lstat == nil {
		return nil
	}
	tooLong := len(path) > maxPath && units(path) > maxPath
	for name := range strings.FieldsFuncSeq(path, isSeparator) {
		tooLong = tooLong || len(name) > maxName && units(name) > maxName
	}
	switch {
	case tooLong:
		return &fs.PathError{Op: "lstat", Path: path, Err: syscall.ENAMETOOLONG}
	case errors.Is(lstat, windows.ERROR_INVALID_NAME), errors.Is(lstat, windows.ERROR_BAD_PATHNAME),
		errors.Is(lstat, windows.ERROR_FILENAME_EXCED_RANGE):
		return lstat
	}
	return nil
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }

func isSeparator(r rune) bool { return r == '\\' || r == '/' }
