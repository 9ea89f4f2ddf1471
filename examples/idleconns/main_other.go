//go:build !unix

// Command idleconns parks idle connections on an event loop, on Unix systems.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintln(os.Stderr, "idleconns: an ev.IO watches descriptors, which it cannot on", runtime.GOOS)
	os.Exit(1)
}
