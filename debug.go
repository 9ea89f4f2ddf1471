package ev

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// guard makes a callback under the loop's panic handler and slow-callback log.
func (l *Loop) guard(e entry) {
	if l.slow > 0 {
		defer l.logSlow(e, time.Now())
	}
	if l.onPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				l.onPanic(e.watcher(), v, debug.Stack())
			}
		}()
	}
	e.call()
}

func (e entry) watcher() Watcher {
	if e.w == nil {
		return nil
	}
	return e.w.self
}

func (l *Loop) logSlow(e entry, start time.Time) {
	took := time.Since(start)
	if took <= l.slow {
		return
	}
	kind, name, fn := "Post", "", any(e.fn)
	if e.w != nil {
		kind, name, fn = kindOf(e.w.self), e.w.name, e.w.self.callback()
	}
	logger := l.logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("ev: slow callback", "loop", l.name, "kind", kind, "watcher", name,
		"took", took, "callback", position(fn))
}

// position is where fn was written, as "file.go:12".
func position(fn any) string {
	pc := reflect.ValueOf(fn).Pointer()
	f := runtime.FuncForPC(pc)
	if f == nil {
		return "unknown"
	}
	file, line := f.FileLine(pc)
	return file + ":" + strconv.Itoa(line)
}

// debugging reports whether EV_DEBUG=1 is set. New looks, not the program's
// start, so that a test can set it for one loop.
func debugging() bool { return os.Getenv("EV_DEBUG") == "1" }

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
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)])
	if len(fields) < 2 {
		return 0
	}
	id, _ := strconv.ParseUint(string(fields[1]), 10, 64)
	return id
}
