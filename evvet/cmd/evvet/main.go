// Command evvet reports mistakes in programs that use package ev: watchers used on another
// goroutine than the loop's, calls that block the loop, watchers that are not started, and others.
// Package evvet documents what it reports and what it does not.
//
//	go install github.com/goevlib/ev/evvet/cmd/evvet@latest
//	evvet ./...
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/goevlib/ev/evvet"
)

func main() { singlechecker.Main(evvet.Analyzer) }
