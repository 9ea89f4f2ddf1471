//go:build linux

// Command pty runs a command on a pseudo-terminal of its own and passes on
// input, output, window size and exit code, as script(1) does. Packages net and
// os cannot wait for its descriptors. One loop waits for all of them, for
// signals, and for the end of the command, without further goroutines:
//
//	go build -o pty ./examples/pty
//	./pty sh -c 'test -t 1 && echo tty; exit 3'; echo $?
//
// With "go run ./examples/pty", the go command prints the exit code and exits with 1.
//
// session.go runs on the loop: input, output, and the command. pty.go makes
// terminals and does not use the loop.
//
// It exits with the command's exit code, with 128 plus the number of the signal
// that ended the command, or with 127 if the command could not be started.
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
	defer unix.Close(master) // hangs up, if the command still runs
	copySize(master, stdin)

	command := exec.Command(name, args...)
	command.Stdin, command.Stdout, command.Stderr = slave, slave, slave
	command.SysProcAttr = onTerminal
	err = command.Start()
	slave.Close() // otherwise there would be no hang-up when the command has closed it
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
