//go:build !linux || !cgo

// Command glib runs an event loop inside of GLib's main loop, on Linux and with cgo.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "glib: this needs Linux, cgo (CGO_ENABLED=1 and a C compiler) and GLib's headers")
	os.Exit(1)
}
