//go:build !linux && !darwin

// Command echo compares servers, on Linux and macOS.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "echo: the servers compared are for Linux and macOS; here is", runtime.GOOS)
	os.Exit(1)
}
