// Package taskconn lets package evnet suspend tasks in ways that the exported API of package ev
// does not offer: with a deadline that somebody else changes, until somebody else closes the
// connection, and with a descriptor that stays registered between two waits. Package ev sets
// New. A loop is an *ev.Loop, which this package cannot import.
package taskconn

import (
	"syscall"
	"time"
)

// Way is a direction of a connection. A listener uses In only.
type Way int

const (
	In Way = iota
	Out
)

// New makes the loop's part of a connection. raw is nil for one without a descriptor. New returns
// nil if the loop is closed.
var New func(loop any, raw syscall.RawConn) Conn

// Conn is the loop's part of a connection or a listener. An operation of the running task is one
// Begin, any number of Waits, and one End. Each way has one operation at a time. Unless a method
// says otherwise, it must be called on the loop's goroutine.
//
// Begin and Wait must be called by a task. They return the error of a task that may not wait
// (context.Canceled, ev.ErrClosed, context.DeadlineExceeded), os.ErrDeadlineExceeded when the
// deadline of the way has passed, and os.ErrClosed after Close.
type Conn interface {
	// Begin waits until the operations that began before have ended. After an error there is
	// no operation, and no End. A task whose operations never had to wait is suspended now and
	// then, so that it does not starve the loop.
	Begin(way Way) error

	// Wait waits until the descriptor is ready. It may return earlier. If done is not nil, Wait
	// waits until done is true instead. Wake must be called after that.
	Wait(way Way, done interface{ Load() bool }) error

	// Wake ends a Wait whose done is true. Any goroutine may call it.
	Wake(way Way)

	// End ends the operation.
	End(way Way)

	// SetDeadline ends the operations in progress and all later ones at t. The zero Time is no
	// deadline.
	SetDeadline(way Way, t time.Time)

	// Close ends all operations. It returns false if it was called before. It does not close
	// the descriptor.
	Close() bool
}
