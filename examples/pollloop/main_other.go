//go:build !linux

// Command pollloop has a main loop of its own, around poll(2), on Linux.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "pollloop: there is no Loop.PollFD on", runtime.GOOS)
	os.Exit(1)
}
