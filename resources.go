package ev

import (
	"runtime"
	"sync"

	"github.com/goevlib/ev/internal/goroutine"
)

// resources are what a loop holds of the system: its poller and, for its
// watchers, bare descriptors, goroutines and subscriptions. A watcher releases
// its own when it stops, and Close releases the rest. A loop that is dropped
// without Close is garbage, with its watchers, and its resources are freed when it
// is collected. So they live outside of the loop, and must not refer to it.
//
// The resources of a loop made in a testing/synctest bubble are freed by Close only:
// its goroutines are ended by channels, and to close a channel of a bubble from
// outside of it, where the garbage collector is, ends the process.
type resources struct {
	poller poller

	mu     sync.Mutex
	held   map[*resource]struct{}
	closed bool
}

// resource is one of them.
type resource struct {
	owner *resources
	free  func()
}

// freeWithLoop makes the resources of l. They are freed once l is unreachable,
// if Close has not done so before.
func freeWithLoop(l *Loop, p poller) *resources {
	rs := &resources{poller: p, held: make(map[*resource]struct{})}
	if l.backend != BackendChan || !goroutine.InBubble() {
		runtime.AddCleanup(l, func(rs *resources) { _ = rs.close() }, rs)
	}
	return rs
}

// add holds a resource until free is called: by release, by Close, or when the
// loop is collected, on any goroutine, and once. free must not refer to the
// loop, which would then never be collected, nor add or release resources.
// After close it is called at once.
func (rs *resources) add(free func()) *resource {
	r := &resource{rs, free}
	rs.mu.Lock()
	closed := rs.closed
	if !closed {
		rs.held[r] = struct{}{}
	}
	rs.mu.Unlock()
	if closed {
		free()
	}
	return r
}

// release frees the resource. Further calls have no effect.
func (r *resource) release() {
	r.owner.mu.Lock()
	_, held := r.owner.held[r]
	delete(r.owner.held, r)
	r.owner.mu.Unlock()
	if held {
		r.free()
	}
}

// close frees what is still held, and the poller last. It returns the poller's
// error. Further calls have no effect.
func (rs *resources) close() error {
	rs.mu.Lock()
	held, closed := rs.held, rs.closed
	rs.held, rs.closed = nil, true
	rs.mu.Unlock()
	if closed {
		return nil
	}
	for r := range held {
		r.free()
	}
	return rs.poller.close()
}
