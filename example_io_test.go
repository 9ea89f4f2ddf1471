// On Windows a pipe cannot be watched, and TryAccept is not supported.

//go:build unix

package ev_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/goevlib/ev"
)

// A program reads lines from its standard input, among its other work.
func ExampleIO_TryRead() {
	stdin, terminal, _ := os.Pipe() // in place of os.Stdin
	defer stdin.Close()
	go func() {
		fmt.Fprint(terminal, "hello\nwor")
		fmt.Fprint(terminal, "ld\n")
		terminal.Close()
	}()

	loop, _ := ev.New()
	defer loop.Close()
	var input []byte
	buf := make([]byte, 4096)
	in := ev.NewConnIO(loop, stdin, ev.Read, func(in *ev.IO, _ ev.Events) {
		n, err := in.TryRead(buf)
		input = append(input, buf[:n]...)
		for {
			line, rest, found := bytes.Cut(input, []byte("\n"))
			if !found {
				break
			}
			fmt.Printf("%s!\n", line)
			input = rest
		}
		switch err {
		case nil, ev.ErrWouldBlock: // the loop calls again
		case io.EOF:
			fmt.Println("the end")
			in.Stop()
		default:
			fmt.Println(err)
			in.Stop()
		}
	})
	if err := in.Start(); err != nil {
		fmt.Println(err)
	}
	loop.Run(context.Background())
	// Output:
	// hello!
	// world!
	// the end
}

// A listener and its connections are on one loop. Each gets a greeting.
func ExampleIO_TryAccept() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	defer listener.Close()
	greeted := make(chan string)
	go func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		defer conn.Close()
		greeting, _ := io.ReadAll(conn)
		greeted <- string(greeting)
	}()

	loop, _ := ev.New()
	defer loop.Close()
	in := ev.NewConnIO(loop, listener.(*net.TCPListener), ev.Read, func(in *ev.IO, _ ev.Events) {
		conn, err := in.TryAccept()
		if err != nil {
			return // ErrWouldBlock: there will be another call
		}
		defer conn.Close()
		fmt.Fprint(conn, "hello") // a server would have an IO for it, too
		in.Stop()
	})
	if err := in.Start(); err != nil {
		fmt.Println(err)
	}
	loop.Run(context.Background())
	fmt.Println(<-greeted)
	// Output: hello
}
