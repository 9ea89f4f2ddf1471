package evnet

import (
	"errors"
	"sync/atomic"

	"github.com/goevlib/ev/internal/taskconn"
)

// Connections without a descriptor. A call that was begun on a goroutine belongs to the
// connection, not to the task that was the first to wait for it: if that task is stopped, the
// next operation gets the result.

// call is a call on a goroutine. The goroutine writes the result, then done, and the loop reads
// them after it.
type call struct {
	at    taskconn.Conn
	way   taskconn.Way
	begun bool // the loop has not taken the result
	done  atomic.Bool
}

// start calls fn on a goroutine. Fn stores its result.
func (b *call) start(fn func()) {
	b.begun = true
	b.done.Store(false)
	go func() {
		defer func() {
			b.done.Store(true)
			b.at.Wake(b.way)
		}()
		fn()
	}()
}

// wait waits for the result.
func (b *call) wait() error {
	for !b.done.Load() {
		if err := b.at.Wait(b.way, &b.done); err != nil {
			return err
		}
	}
	b.begun = false
	return nil
}

var errGoexit = errors.New("evnet: the connection's method has called runtime.Goexit")

// pullSize and pushSize are the largest buffers.
const (
	pullSize = 64 << 10
	pushSize = 64 << 10
)

// puller reads by a goroutine, into a buffer of its own.
type puller struct {
	conn *conn
	call call
	buf  []byte
	n    int
	err  error
	left []byte // of buf: not yet read
}

func (r *puller) read(p []byte) (int, error) {
	if !r.call.begun && len(r.left) == 0 && r.err == nil {
		r.start(min(len(p), pullSize))
	}
	if r.call.begun {
		if err := r.call.wait(); err != nil {
			return 0, err
		}
		r.left = r.buf[:r.n]
	}
	if len(r.left) > 0 {
		n := copy(p, r.left)
		r.left = r.left[n:]
		return n, nil
	}
	err := r.err
	r.err = nil
	return 0, err
}

func (r *puller) start(size int) {
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	r.buf = r.buf[:size]
	r.n, r.err = 0, errGoexit
	r.call.start(func() { r.n, r.err = r.conn.c.Read(r.buf) })
}

// pusher writes by a goroutine, from a buffer of its own: after a stop the caller has its slice
// back before the write has ended.
type pusher struct {
	conn *conn
	call call
	buf  []byte
	n    int
	err  error
}

func (w *pusher) write(p []byte) (int, error) {
	if w.call.begun { // by a task that was stopped
		if err := w.call.wait(); err != nil {
			return 0, err
		}
		if w.err != nil {
			return 0, w.err
		}
	}
	for done := 0; ; {
		w.start(p[done:min(len(p), done+pushSize)])
		if err := w.call.wait(); err != nil {
			return done, err
		}
		done += w.n
		if w.err != nil || done == len(p) {
			return done, w.err
		}
	}
}

func (w *pusher) start(p []byte) {
	w.buf = append(w.buf[:0], p...)
	w.n, w.err = 0, errGoexit
	w.call.start(func() { w.n, w.err = w.conn.c.Write(w.buf) })
}
