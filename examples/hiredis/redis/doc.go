// Package redis is a client of Redis on an event loop: the C library hiredis, driven by an ev.IO
// and an ev.Timer. There is no goroutine and no thread for a connection.
//
// A Client sends commands, any number at a time: they are pipelined. A Subscriber receives
// messages. Both connect again when the connection is lost.
//
// All of it belongs to the loop. Methods must be called on the loop's goroutine, or before it
// runs. The loop makes the callbacks, and never from inside a method of this package. They may
// call anything, Close included. The loop handles a panic in one, and the others are still made.
//
// The package needs cgo and hiredis 0.14 or newer.
package redis
