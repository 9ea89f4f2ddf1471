//go:build !unix

package ev

import (
	"errors"
	"syscall"
)

var errNoSignal = errors.New("no such signal")

// undelivered lets all others pass: a program for several systems may watch what
// this one does not send. On Windows SIGINT and SIGTERM come.
func undelivered(n syscall.Signal) string {
	if n == syscall.SIGKILL {
		return "cannot be caught"
	}
	return ""
}
