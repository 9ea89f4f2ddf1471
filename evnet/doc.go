// Package evnet has network connections and listeners for the tasks of package ev. They are
// net.Conn and net.Listener. A Read, Write or Accept that cannot go on at once suspends the
// calling task, and the loop goes on with others. So bufio, net/textproto, encoding/json,
// net/http's ReadRequest and crypto/tls run inside tasks as they are, on the loop's goroutine,
// and share its state without a lock.
//
//	ln, err := evnet.Listen(l, "tcp", ":7000")
//	...
//	ev.Spawn(l, func(*ev.Task) error {
//		for {
//			c, err := ln.Accept()
//			if err != nil {
//				return err
//			}
//			ev.Spawn(l, func(*ev.Task) error {
//				defer c.Close()
//				_, err := io.Copy(c, c)
//				return err
//			})
//		}
//	})
//
// # Which goroutine
//
// Every method must be called on the loop's goroutine. Read, Write, ReadFrom, WriteTo and Accept
// must be called by a task, and panic in a callback. Close, SetDeadline and the others may be
// called by callbacks too. The task is found by Loop.Task, so it is not an argument.
//
// # Several tasks
//
// Two tasks may read and write one connection at the same time. Several readers take turns, in
// the order of their calls, and so do several writers. A Write is not mixed with another.
//
// A task whose operations never have to wait is suspended now and then: a peer that sends without
// end does not starve the loop.
//
// # Errors
//
// The errors are those of package net: io.EOF at the end, else a *net.OpError. It wraps
//
//   - os.ErrDeadlineExceeded when a deadline has passed. Its Timeout method returns true.
//   - net.ErrClosed after Close. Close by another task or a callback ends what waits.
//   - an *os.SyscallError with syscall.ECONNRESET, syscall.EPIPE and the like.
//   - context.Canceled when the task was stopped, ev.ErrClosed when the loop was closed, and
//     context.DeadlineExceeded inside Task.Within.
//
// On Windows the numbers are Winsock's, such as 10054 (WSAECONNRESET), and the names are those of
// its calls (wsarecv), as with package net.
//
// A deadline or a stop loses no data: the next Read gets them. A Write reports how many bytes it
// has written.
//
// # Half-close and others
//
// CloseRead and CloseWrite exist if the wrapped connection has them; use a type assertion to an
// interface. On Windows, CloseRead does not end a Read in progress. Listeners have SetDeadline.
// SyscallConn returns the wrapped connection's descriptor. Options, such as TCP_NODELAY, are set
// on the connection before Wrap, or by SyscallConn.
//
// # TLS
//
// Put crypto/tls on top: tls.Server(c, config) of a wrapped c, or tls.NewListener(ln, config). One
// task can use such a tls.Conn like any other, but two need care, because a tls.Conn holds locks:
//
//   - Call Handshake before two tasks use it. The second would block the loop.
//   - Write holds a lock while it waits for a peer that does not read. Read takes the same lock to
//     send an alert or to answer a key update. It then blocks the loop, and a hostile peer can
//     bring that about. With a reading and a writing task, either have the tls.Conn write to
//     memory (examples/chat has the 40 lines), or wrap the tls.Conn itself.
//   - Close sends an alert, and waits like Write. In a callback, close the wrapped connection.
//
// # Connections without a descriptor
//
// A connection that is a syscall.Conn, as those of package net are, is read and written by system
// calls that do not block (on Windows, if it is a socket). This goes past the methods of a type
// that embeds *net.TCPConn: such a type must not have SyscallConn. All others (net.Pipe, a tls.Conn
// that is wrapped itself), and every connection of a loop with BackendChan, work by goroutines, as
// ev.Await does: each Read costs a hand-over and a copy. The bytes that such a goroutine reads
// belong to the connection: if the task was stopped, a later Read gets them. A Write that ends
// early may go on in the background; the next Write waits for it, and returns its error.
//
// # Cost
//
// A wait costs no goroutine and no allocation. A connection stays registered with the loop
// between two reads, so an exchange costs the system calls that read and write. The connection
// must be closed: while it is registered, it is not garbage.
package evnet
