//go:build !cgo

package main

import "testing"

func TestNothingWithoutCgo(t *testing.T) {
	t.Skip("hiredis is a C library: set CGO_ENABLED=1, with a C compiler and libhiredis-dev installed")
}
