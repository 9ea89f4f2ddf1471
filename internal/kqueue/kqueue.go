//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package kqueue

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Event is a change or an event. Its fields differ between the systems (note e).
type Event = unix.Kevent_t

// OnDarwin reports whether this is macOS or iOS, for flags without a name elsewhere.
const OnDarwin = runtime.GOOS == "darwin" || runtime.GOOS == "ios"

// New makes a kqueue.
func New() (int, error) {
	kq, err := unix.Kqueue()
	if err != nil {
		return -1, os.NewSyscallError("kqueue", err)
	}
	unix.CloseOnExec(kq) // without the fork lock: note j
	return kq, nil
}

// Close closes a kqueue, and so removes its filters.
func Close(kq int) error { return unix.Close(kq) }

var noTime unix.Timespec

// change makes one change (note d).
func change(kq int, e Event) error {
	_, err := unix.Kevent(kq, []Event{e}, nil, &noTime)
	if err == unix.EINTR {
		return nil
	}
	return err
}

// Add makes kq report when fd is readable or, with write, writable. For some devices
// macOS requires the number of bytes to wait for (note g).
func Add(kq, fd int, write bool) error {
	var e Event
	unix.SetKevent(&e, fd, filter(write), unix.EV_ADD)
	err := change(kq, e)
	if err == unix.EINVAL {
		e.Fflags, e.Data = unix.NOTE_LOWAT, 1
		err = change(kq, e)
	}
	return err
}

// Delete undoes Add.
func Delete(kq, fd int, write bool) error {
	var e Event
	unix.SetKevent(&e, fd, filter(write), unix.EV_DELETE)
	return change(kq, e)
}

func filter(write bool) int {
	if write {
		return unix.EVFILT_WRITE
	}
	return unix.EVFILT_READ
}

// AddExit makes kq report the exit of a process, once (the notes in internal/process).
func AddExit(kq, pid int) error {
	var e Event
	unix.SetKevent(&e, pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	e.Fflags = unix.NOTE_EXIT
	if OnDarwin {
		e.Fflags |= 0x4000000 // NOTE_EXITSTATUS
	}
	return change(kq, e)
}

// Status returns the status that AddExit's event has, in the form of wait(2).
func Status(e *Event) int { return int(e.Data) }

// AddFile makes kq report, again and again, that fd's file or the entries of fd's
// directory have changed (the notes in internal/pathwatch).
func AddFile(kq, fd int) error {
	var e Event
	unix.SetKevent(&e, fd, unix.EVFILT_VNODE, unix.EV_ADD|unix.EV_CLEAR)
	e.Fflags = unix.NOTE_DELETE | unix.NOTE_WRITE | unix.NOTE_EXTEND | unix.NOTE_ATTRIB |
		unix.NOTE_LINK | unix.NOTE_RENAME | unix.NOTE_REVOKE
	return change(kq, e)
}

// Ready returns what Add added. Errors and ends of files are not looked at (note f).
func Ready(e *Event) (fd int, write bool) {
	return int(e.Ident), int(e.Filter) == unix.EVFILT_WRITE
}

// Poll takes the events that are there, and returns how many. It does not wait.
func Poll(kq int, events []Event) int {
	for {
		n, err := unix.Kevent(kq, nil, events, &noTime)
		if err != unix.EINTR {
			return max(n, 0)
		}
	}
}

// Wait waits until there is an event.
func Wait(kq int, events []Event) error {
	for {
		_, err := unix.Kevent(kq, nil, events, nil)
		if err != unix.EINTR {
			return err
		}
	}
}
