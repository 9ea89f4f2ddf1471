//go:build !cgo || !unix

// Command notify wakes a loop from C code, on Unix.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "notify: this example needs cgo, and a Unix")
	os.Exit(1)
}
