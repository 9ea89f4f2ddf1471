package ev

import (
	"runtime"
	"sync"

	"github.com/goevlib/ev/internal/goroutine"
)

// resources are a loop's holdings in the system: its poller and, for its watchers,
// descriptors, goroutines and subscriptions. A watcher releases its own when it stops.
// Close releases the rest. A loop that is dropped without Close is garbage, with its
// watchers, and the garbage collector frees its resources. So they live outside of the
// loop, and must not refer to it.
//
// The resources of a loop made in a testing/synctest bubble are freed by Close only. The
// loop's goroutines end when a channel of the bubble is closed. The garbage collector is
// outside of the bubble, and closing the channel there ends the process.
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

// freeWithLoop makes the resources of l. They are freed when l is unreachable, if Close
// has not freed them before.
func freeWithLoop(l *Loop, p poller) *resources {
	rs := &resources{poller: p, held: make(map[*resource]struct{})}
	if !goroutine.InBubble() {
		runtime.AddCleanup(l, func(rs *resources) { _ = rs.close() }, rs)
	}
	return rs
}

// add holds a resource until free is called: by release, by Close, or when the loop is
// collected. free is called once, on any goroutine. It must not refer to the loop, which
// would then never be collected, and must not add or release resources. If the resources
// are closed already, add calls free.
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

// close frees the resources that are still held, and the poller last. It returns the
// poller's error. Further calls have no effect.
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

// ownFD is watchFD, to read, for a descriptor that the loop owns. free closes it: when
// release is called, with the loop, or when ownFD fails. free is as in add.
func (l *Loop) ownFD(fd int, free func(), ready func(lost bool)) (release func(), err error) {
	r := l.resources.add(free)
	stop, err := l.watchFD(fd, Read, func(got Events) { ready(got == Error) })
	if err != nil {
		r.release()
		return nil, err
	}
	return func() {
		stop()
		r.release()
	}, nil
}

// watchFD calls fn on the loop's goroutine, in the poll phase of an iteration, when fd is
// ready. It counts as no watcher, and holds no reference. fn(Error) means that the poller
// has refused the descriptor, and that it is not watched any more.
func (l *Loop) watchFD(fd int, events Events, fn func(got Events)) (stop func(), err error) {
	w := NewIO(l, fd, events, func(*IO, Events) {}, hidden{})
	w.internal = fn
	if err := w.Start(); err != nil {
		return nil, err
	}
	return w.Stop, nil
}
