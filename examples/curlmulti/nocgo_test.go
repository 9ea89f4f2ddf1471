//go:build !cgo

package main

import "testing"

func TestNothingWithoutCgo(t *testing.T) {
	t.Skip("libcurl is a C library: set CGO_ENABLED=1, with a C compiler and libcurl4-openssl-dev installed")
}
