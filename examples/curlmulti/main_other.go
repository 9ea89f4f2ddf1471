//go:build !cgo

// Command curlmulti runs HTTP transfers with the C library libcurl. It needs cgo.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "curlmulti: this needs cgo (CGO_ENABLED=1 and a C compiler) and libcurl's headers")
	os.Exit(1)
}
