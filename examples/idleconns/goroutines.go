//go:build unix

package main

import (
	"io"
	"net"
)

// serve serves a connection on a goroutine of its own, which blocks in Read.
func serve(conn net.Conn, early []byte) {
	c := &client{conn: conn}
	answer, err := c.take(early)
	for buf := make([]byte, 512); err == nil; {
		if _, err = conn.Write(answer); err != nil {
			return
		}
		var n int
		if n, err = conn.Read(buf); err == nil {
			answer, err = c.take(buf[:n])
		}
	}
}

// serveBuffered is serve, with the buffers that Hijack returns.
func serveBuffered(rw io.ReadWriter, flush func() error) {
	c := &client{}
	for buf := make([]byte, 512); ; {
		n, err := rw.Read(buf)
		if err != nil {
			return
		}
		answer, err := c.take(buf[:n])
		if err != nil {
			return
		}
		if _, err := rw.Write(answer); err != nil || flush() != nil {
			return
		}
	}
}
