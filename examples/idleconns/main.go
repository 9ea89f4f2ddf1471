//go:build unix

// Command idleconns parks thousands of idle connections of a net/http server on
// one event loop, without a goroutine each, and measures the saving.
//
// A handler hijacks its connection and hands it to the loop, which watches it
// with an ev.IO. The goroutine of net/http ends. The loop echoes each line. If
// the socket does not take an answer at once, a goroutine writes it, and the
// loop goes on with the others.
//
//   - lot.go runs on the loop: the parked connections.
//   - goroutines.go is the same service with a goroutine for each connection.
//   - clients.go has the clients: a process of its own, so that its memory and its
//     descriptors are not counted.
//
// Run it, with as many connections as RLIMIT_NOFILE allows or with -n:
//
//	go run ./examples/idleconns -n 10000
//
// The output is the memory of the Go heap and of stacks, per connection, after
// a garbage collection. All rows include the net.Conn, which a watcher does not
// replace. No row includes kernel memory.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"syscall"
)

func main() {
	var err error
	if os.Getenv(clientsEnv) != "" {
		err = clients(os.Stdin, os.Stdout)
	} else {
		err = run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "idleconns:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	n := flag.Int("n", 10_000, "open so `many` connections")
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected arguments: %q", flag.Args())
	case *n < 1:
		return fmt.Errorf("-n must be positive: %d", *n)
	}
	most, err := mostConnections()
	if err != nil {
		return err
	}
	if *n > most {
		fmt.Fprintf(out, "RLIMIT_NOFILE allows %d connections, not %d\n\n", most, *n)
		*n = most
	}
	rows, err := measure(*n)
	if err != nil {
		return err
	}
	report(out, *n, rows)
	return nil
}

// spare is the number of descriptors that are reserved for other uses than
// connections.
const spare = 64

// mostConnections returns the number of connections that the limit of
// descriptors allows, in this process and in the process of the clients. In
// both, package os has raised the soft limit to the hard limit already.
func mostConnections() (int, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	most := int(min(uint64(limit.Cur), 1<<30)) - spare
	if most < 1 {
		return 0, fmt.Errorf("RLIMIT_NOFILE is %d, which leaves no room for connections", limit.Cur)
	}
	return most, nil
}
