//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/goevlib/ev"
)

// A pipe is read when there is something to read.
func ExampleTask_WaitFD() {
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	go func() {
		syscall.Write(pipe[1], []byte("hello"))
		syscall.Close(pipe[1])
	}()
	ev.RunTask(context.Background(), func(t *ev.Task) error {
		defer syscall.Close(pipe[0]) // after the last wait
		buf := make([]byte, 100)
		for {
			if _, err := t.WaitFD(pipe[0], ev.Read); err != nil {
				return err
			}
			n, err := syscall.Read(pipe[0], buf)
			if n <= 0 {
				fmt.Println("the end:", err)
				return err
			}
			fmt.Println(string(buf[:n]))
		}
	})
	// Output:
	// hello
	// the end: <nil>
}

// A server's task waits for a packet.
func ExampleTask_WaitConn() {
	server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	go func() {
		client, err := net.Dial("udp", server.LocalAddr().String())
		if err != nil {
			panic(err)
		}
		defer client.Close()
		fmt.Fprint(client, "hello")
	}()
	err = ev.RunTask(context.Background(), func(t *ev.Task) error {
		events, err := t.WaitConn(server, ev.Read)
		if err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, _, err := server.ReadFrom(buf) // does not wait: the packet is there
		fmt.Println(events, string(buf[:n]))
		return err
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	// Output: Read hello
}
