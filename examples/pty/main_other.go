//go:build !linux

// Command pty runs a command on a pseudo-terminal, on Linux.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "pty: this example is for Linux; here is", runtime.GOOS)
	os.Exit(1)
}
