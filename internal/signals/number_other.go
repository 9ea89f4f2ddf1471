//go:build !unix

package signals

import (
	"errors"
	"syscall"
)

var errNoSignal = errors.New("no such signal")

// undelivered returns "" for all other signals: a program for several systems may watch
// signals that this system never sends. On Windows only SIGINT and SIGTERM are sent.
func undelivered(n syscall.Signal) string {
	if n == syscall.SIGKILL {
		return "cannot be caught"
	}
	return ""
}
