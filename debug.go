package ev

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
)

// debugging reports whether EV_DEBUG=1 is set. New looks, not the program's
// start, so that a test can set it for one loop.
func debugging() bool { return os.Getenv("EV_DEBUG") == "1" }

// own checks the owner of a call of one of the loop's methods, with EV_DEBUG=1.
func (l *Loop) own(method string) {
	if l.debug {
		l.checkOwner(nil, method)
	}
}

// checkOwner panics when another goroutine than the one in Run calls a method
// of the loop or of w. It is called with EV_DEBUG=1 only: it costs microseconds.
func (l *Loop) checkOwner(w Watcher, method string) {
	kind := "Loop"
	if w != nil {
		kind = kindOf(w)
	}
	l.mu.Lock()
	owner := l.owner
	l.mu.Unlock()
	if caller := goroutineID(); owner != 0 && caller != owner {
		panic(fmt.Sprintf("ev: %s.%s: called by goroutine %d, but goroutine %d runs the loop %q",
			kind, method, caller, owner, l.name))
	}
}

// ownedByCaller reports whether this goroutine is in a Run that looked up its
// goroutine.
func (l *Loop) ownedByCaller() bool {
	caller := goroutineID()
	l.mu.Lock()
	defer l.mu.Unlock()
	return caller != 0 && caller == l.owner
}

// goroutineID is the number in the first line of a stack trace, "goroutine 7
// [running]:", or 0. Go offers nothing better; it is for error messages and
// misuse only.
func goroutineID() uint64 {
	var buf [64]byte
	line, _ := bytes.CutPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	id := uint64(0)
	for _, c := range line {
		if c < '0' || c > '9' {
			break
		}
		id = 10*id + uint64(c-'0')
	}
	return id
}
