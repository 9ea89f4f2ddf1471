//go:build linux

// Command pty runs a command on a pseudo-terminal of its own and passes input,
// output, window size and exit code on, as script(1) does. Its descriptors are
// none that package net or os would wait for, and one loop waits for all of them,
// for signals, and for the end of the command, with no goroutine for any:
//
//	go run ./examples/pty sh -c 'test -t 1 && echo tty; exit 3'
//
// Here session.go is the loop's: input, output, and the command. pty.go makes
// terminals, and knows no loop.
//
// It exits as the command did, with 128 and the number of the signal that ended
// it, or with 127 when it could not be started.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: pty command [argument ...]")
		os.Exit(2)
	}
	code, err := run(os.Args[1], os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "pty:", err)
	}
	os.Exit(code)
}

func run(name string, args []string) (code int, err error) {
	master, slave, err := openPTY()
	if err != nil {
		return 1, err
	}
	defer unix.Close(master) // hangs up, if the command is there still
	copySize(master, stdin)

	command := exec.Command(name, args...)
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = onTerminal
	err = command.Start()
	slave.Close() // or there would be no hang-up when the command has closed it
	if err != nil {
		return 127, err
	}

	loop, err := ev.New(ev.WithName("pty"))
	if err != nil {
		return 1, err
	}
	defer loop.Close()
	restore, err := makeRaw(stdin)
	if err != nil {
		return 1, err
	}
	defer restore()
	s := newSession(loop, master, command)
	if err := s.start(); err != nil {
		return 1, err
	}
	if err := errors.Join(loop.Run(context.Background()), s.err); err != nil {
		return 1, err
	}
	return s.code, nil
}
