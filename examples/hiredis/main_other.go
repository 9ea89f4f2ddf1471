//go:build !cgo

// Command hiredis drives the C library hiredis on an event loop. It needs cgo.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "hiredis: this needs cgo (CGO_ENABLED=1 and a C compiler), hiredis's headers and redis-server")
	os.Exit(1)
}
