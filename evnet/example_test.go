package evnet_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

// An echo server in which each connection is a task, and a client that ends it.
func Example() {
	err := ev.RunTask(context.Background(), func(t *ev.Task) error {
		ln, err := evnet.Listen(t.Loop(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		ev.Spawn(t.Loop(), func(*ev.Task) error {
			for {
				c, err := ln.Accept()
				if err != nil {
					return err
				}
				ev.Spawn(t.Loop(), func(*ev.Task) error {
					defer c.Close()
					_, err := io.Copy(c, c)
					return err
				})
			}
		})

		c, err := evnet.Dial(t, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprintln(c, "hello")
		line, err := bufio.NewReader(c).ReadString('\n')
		fmt.Print(line)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// A timeout for all that a function does with a connection, and one for each read.
func ExampleDial() {
	err := ev.RunTask(context.Background(), func(t *ev.Task) error {
		ln, err := evnet.Listen(t.Loop(), "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		return t.Within(time.Minute, func() error {
			c, err := evnet.Dial(t, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
			_, err = c.Read(make([]byte, 1)) // nobody accepts
			if e, ok := err.(net.Error); ok && e.Timeout() {
				fmt.Println("no answer")
				err = nil
			}
			return err
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: no answer
}

// A connection that was made elsewhere: here, by net.Pipe.
func ExampleWrap() {
	l, err := ev.New()
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	near, far := net.Pipe()
	c, err := evnet.Wrap(l, near)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		fmt.Fprint(far, "from a goroutine")
		far.Close()
	}()
	ev.Spawn(l, func(*ev.Task) error {
		defer c.Close()
		all, err := io.ReadAll(c)
		fmt.Printf("%s\n", all)
		return err
	})
	if err := l.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: from a goroutine
}
