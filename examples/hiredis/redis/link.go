//go:build cgo

package redis

// #cgo LDFLAGS: -lhiredis
// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
	"unsafe"

	"github.com/goevlib/ev"
)

// Options say where the server is and how long to wait for it. The zero durations have defaults.
type Options struct {
	Address string // an IP address and port ("127.0.0.1:6379"), or the path of a Unix socket

	ConnectTimeout time.Duration // for each attempt; default 5 s
	ReplyTimeout   time.Duration // with commands in progress and no reply, then the connection is given up; default: never
	Retry          time.Duration // before the second attempt to connect, doubled with each, up to 64 times as long; default 50 ms

	// Changed, if not nil, is called with nil when a connection is made. It is called with the
	// reason when an attempt has failed or a connection is lost.
	Changed func(err error)
}

// These are errors of commands and of Options.Changed.
var (
	ErrClosed         = errors.New("redis: closed")
	ErrNotConnected   = errors.New("redis: not connected")
	ErrConnectTimeout = errors.New("redis: connecting took too long")
	ErrReplyTimeout   = errors.New("redis: no reply came in time")
)

// Error is hiredis's reason for the end of a connection.
type Error struct {
	Code int // REDIS_ERR_…: 1 for the system's errors, 3 if the server has closed the connection
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("redis: hiredis: (%d) %s", e.Code, e.Text) }

// Version returns hiredis's version, such as "0.14.1".
func Version() string { return C.GoString(C.evredis_version()) }

// user is a Client or a Subscriber. Its methods are called when hiredis has returned. They call
// the program back by queue.
type user interface {
	connected()
	received(v any)
	lost(err error)
	waits() bool // for replies
}

// link is a connection to the server, and the next one if that is lost.
//
// hiredis does not wait and does not call Go. Each call of it is followed by settle, which brings
// the watchers in line with hiredis, and by the callbacks of the program.
type link struct {
	loop    *ev.Loop
	user    user
	options Options
	host    *C.char
	port    C.int
	path    *C.char

	conn    *C.struct_evredis // nil between two connections
	up      bool              // conn is connected
	tries   int               // to connect, since there was a connection
	io      *ev.IO
	timer   *ev.Timer   // for the connection, a reply, or the next attempt
	flush   *ev.Prepare // active while commands is not empty
	cleanup *ev.Cleanup
	closed  bool

	commands []byte // to be sent before the loop sleeps
	outcomes []outcome
	next     int    // in outcomes
	calls    uint64 // of C
}

// outcome is a callback that the program is to get.
type outcome struct {
	fn  func(v any, err error)
	v   any
	err error
}

func (k *link) open(l *ev.Loop, u user, o Options) error {
	if o.ConnectTimeout < 0 || o.ReplyTimeout < 0 || o.Retry < 0 {
		return fmt.Errorf("redis: a negative time in %+v", o)
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = 5 * time.Second
	}
	if o.Retry == 0 {
		o.Retry = 50 * time.Millisecond
	}
	k.loop, k.user, k.options = l, u, o
	k.io = ev.NewIO(l, 0, ev.None, k.ready, ev.Name("redis socket"))
	k.timer = ev.NewTimer(l, 0, 0, k.due, ev.Name("redis timer"))
	k.flush = ev.NewPrepare(l, func(*ev.Prepare) { k.send() }, ev.Name("redis commands"))
	k.cleanup = ev.NewCleanup(l, func(*ev.Cleanup) { k.close() }, ev.Name("redis cleanup"))
	if l.Backend() == ev.BackendChan {
		return fmt.Errorf("redis: sockets on %v: %w", l.Backend(), errors.ErrUnsupported)
	}
	if k.cleanup.Start(); !k.cleanup.Active() {
		return ev.ErrClosed
	}
	if err := k.parse(o.Address); err != nil {
		k.cleanup.Stop()
		return err
	}
	k.connect()
	return nil
}

func (k *link) parse(address string) error {
	if address == "" {
		return errors.New("redis: no address")
	}
	if address[0] == '/' || address[0] == '.' {
		k.host, k.path = C.CString(""), C.CString(address)
		return nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("redis: %q is not an IP address and port, nor a path: %w", address, err)
	}
	k.host, k.port, k.path = C.CString(at.Addr().String()), C.int(at.Port()), C.CString("")
	return nil
}

// connect begins to connect. hiredis's socket is not close-on-exec until evredis_connect makes
// it so. With ForkLock held, no os/exec of another goroutine comes in between: a child would
// keep the connection open.
func (k *link) connect() {
	k.tries++
	syscall.ForkLock.RLock()
	k.conn = C.evredis_connect(k.host, k.port, k.path)
	syscall.ForkLock.RUnlock()
	k.calls++
	if k.conn.context == nil { // refused at once
		k.post(k.settle) // not from inside the program's call
		return
	}
	// The number may be that of the connection before. It is another socket nevertheless, and
	// Set and Start say so to the loop.
	err := k.io.Set(int(k.conn.fd), k.interest())
	if err == nil {
		err = k.io.Start()
	}
	if err != nil {
		k.post(func() { k.drop(err) })
		return
	}
	k.timer.Arm(k.options.ConnectTimeout) // from the present, as a connection does
	k.keep()
}

// interest is the events that hiredis waits for. They are read in C's memory, without a call.
func (k *link) interest() (events ev.Events) {
	if k.conn.interest&C.EVREDIS_READ != 0 {
		events |= ev.Read
	}
	if k.conn.interest&C.EVREDIS_WRITE != 0 {
		events |= ev.Write
	}
	return events
}

func (k *link) ready(_ *ev.IO, got ev.Events) {
	var events C.int
	if got&ev.Read != 0 {
		events |= C.EVREDIS_READ
	}
	if got&ev.Write != 0 {
		events |= C.EVREDIS_WRITE
	}
	C.evredis_ready(k.conn, events)
	k.calls++
	k.settle()
}

// enqueue adds a command to a buffer, which is sent, in one call of C, when the callbacks of this
// iteration are done.
func (k *link) enqueue(args ...string) {
	k.commands = appendCommand(k.commands, args...)
	k.flush.Start()
	k.keep()
}

func (k *link) send() {
	k.flush.Stop()
	if k.conn == nil || k.conn.context == nil {
		k.commands = k.commands[:0]
		return
	}
	C.evredis_send(k.conn, (*C.char)(unsafe.Pointer(&k.commands[0])), C.size_t(len(k.commands)))
	k.calls++
	k.commands = k.commands[:0]
	k.settle()
}

// settle brings the loop's side in line with hiredis's, after each call of hiredis.
func (k *link) settle() {
	if k.conn == nil {
		return // closed meanwhile, or dropped
	}
	if k.conn.connected != 0 && !k.up {
		k.up, k.tries = true, 0
		k.timer.Stop()
		k.await()
		k.changed(nil)
		k.user.connected()
	}
	if k.conn.size > 0 {
		k.receive()
	}
	if k.conn.context == nil {
		k.end(&Error{int(k.conn.code), C.GoString(&k.conn.error[0])})
	} else if want := k.interest(); want != k.io.Interest() {
		if err := k.io.SetEvents(want); err != nil {
			panic(err) // never: the events are Read and Write
		}
	}
	k.keep()
	k.deliver()
}

// receive fetches all replies that C has noted.
func (k *link) receive() {
	all := replies(unsafe.Slice((*byte)(unsafe.Pointer(k.conn.replies)), k.conn.size))
	for len(all) > 0 {
		k.user.received(all.take())
	}
	k.conn.size = 0
	k.await()
}

// await starts, or ends, the wait for the next reply.
func (k *link) await() {
	switch {
	case !k.up || k.options.ReplyTimeout == 0:
	case k.user.waits():
		k.timer.Arm(k.options.ReplyTimeout)
	default:
		k.timer.Stop()
	}
}

// drop ends a connection of which hiredis does not say that it has ended.
func (k *link) drop(err error) {
	if k.conn == nil {
		return
	}
	k.end(err)
	k.keep()
	k.deliver()
}

// end frees the rest of a connection, and sets the time of the next. If hiredis has closed
// the socket, it was in this callback: the loop has not looked at its descriptors since.
func (k *link) end(err error) {
	k.io.Stop()
	C.evredis_free(k.conn)
	k.calls++
	k.conn, k.up = nil, false
	k.commands = k.commands[:0]
	k.flush.Stop()
	k.timer.Arm(k.options.Retry << min(max(k.tries-1, 0), 6))
	k.changed(err)
	k.user.lost(err)
}

// due is for the timer, whose meaning depends on the state.
func (k *link) due(*ev.Timer) {
	switch {
	case k.conn == nil:
		k.connect()
	case !k.up:
		k.drop(ErrConnectTimeout)
	default:
		k.drop(ErrReplyTimeout)
	}
}

// keep makes Run go on while the program waits for something.
func (k *link) keep() {
	waits := k.user.waits()
	k.io.Keep(waits)
	k.timer.Keep(waits)
}

func (k *link) changed(err error) {
	if fn := k.options.Changed; fn != nil {
		k.queue(func(_ any, err error) { fn(err) }, nil, err)
	}
}

func (k *link) queue(fn func(any, error), v any, err error) {
	k.outcomes = append(k.outcomes, outcome{fn, v, err})
}

// deliver makes the callbacks. Each may call every method, or nest a Run, in which deliver goes
// on with the next. If one panics, the loop makes the rest later.
func (k *link) deliver() {
	defer func() {
		if k.next < len(k.outcomes) {
			k.post(k.deliver)
		}
	}()
	for k.next < len(k.outcomes) {
		o := k.outcomes[k.next]
		k.outcomes[k.next] = outcome{}
		k.next++
		o.fn(o.v, o.err)
	}
	k.outcomes, k.next = k.outcomes[:0], 0
}

// post makes the loop call fn, unless the link is closed then.
func (k *link) post(fn func()) {
	_ = k.loop.Post(func() { // a closed loop has closed the link
		if !k.closed {
			fn()
		}
	})
}

func (k *link) close() {
	if k.closed {
		return
	}
	k.closed = true
	k.io.Stop()
	k.timer.Stop()
	k.flush.Stop()
	k.cleanup.Stop()
	k.outcomes, k.next = nil, 0
	if k.conn != nil {
		C.evredis_free(k.conn)
		k.conn, k.up = nil, false
	}
	C.free(unsafe.Pointer(k.host))
	C.free(unsafe.Pointer(k.path))
}
