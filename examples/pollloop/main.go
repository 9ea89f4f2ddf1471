//go:build linux

// Command pollloop has a main loop of its own, around poll(2), as many a program and library has.
// An event loop runs inside of it. poll(2) watches the loop's descriptor beside the others.
//
//	seq 3 | go run ./examples/pollloop
//
// The main loop reads standard input. For each line, a goroutine computes something, and sends the
// result to the event loop, which also has a timer. The program ends at the end of the input, when
// all results are there.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

func main() {
	if err := run(int(os.Stdin.Fd()), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// program has two loops on one goroutine.
type program struct {
	loop    *ev.Loop
	out     io.Writer
	results *ev.Queue[string]
	beat    *ev.Timer

	input   []byte
	started int
	printed int
}

func run(stdin int, out io.Writer) error {
	loop, err := ev.New()
	if err != nil {
		return err
	}
	defer loop.Close()
	p := &program{loop: loop, out: out}
	p.results = ev.NewQueue(loop, 0, p.print)
	p.results.Start()
	p.beat = ev.NewTimer(loop, time.Second, time.Second, func(*ev.Timer) {
		fmt.Fprintln(out, p.started-p.printed, "at work")
	})
	p.beat.Start()
	return p.poll(stdin)
}

// poll is the main loop. The event loop is one more descriptor of it.
func (p *program) poll(stdin int) error {
	events, err := p.loop.PollFD()
	if err != nil {
		return err
	}
	fds := []unix.PollFd{
		{Fd: int32(events), Events: unix.POLLIN},
		{Fd: int32(stdin), Events: unix.POLLIN},
	}
	for fds[1].Fd >= 0 || p.printed < p.started {
		if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if fds[0].Revents != 0 {
			if err := p.loop.RunNoWait(); err != nil {
				return err
			}
		}
		if fds[1].Revents != 0 && !p.read(stdin) {
			fds[1].Fd = -1 // poll ignores it
		}
	}
	return nil
}

// read starts the work for the lines that have come. It reports whether there may be more.
func (p *program) read(stdin int) bool {
	buf := make([]byte, 4096)
	n, err := unix.Read(stdin, buf)
	if err == unix.EINTR || err == unix.EAGAIN {
		return true
	}
	p.input = append(p.input, buf[:max(n, 0)]...)
	for {
		line, rest, found := bytes.Cut(p.input, []byte("\n"))
		if !found {
			break
		}
		p.input = rest
		p.work(string(line))
	}
	return n > 0
}

// work is on the main loop. It may use the event loop's watchers: both have the same goroutine.
func (p *program) work(line string) {
	p.started++
	p.beat.Arm(time.Second) // something happens: no need to say so
	go func() {
		_ = p.results.Send(strings.ToUpper(line)) // something that takes long
	}()
}

func (p *program) print(_ *ev.Queue[string], batch []string) {
	for _, result := range batch {
		p.printed++
		fmt.Fprintln(p.out, result)
	}
}
