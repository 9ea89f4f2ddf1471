// Command evvet reports calls of ev's methods in goroutines that do not own the
// loop. See package evvet for what it finds and what it leaves alone.
//
//	go install github.com/goevlib/ev/evvet/cmd/evvet
//	evvet ./...
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/goevlib/ev/evvet"
)

func main() { singlechecker.Main(evvet.Analyzer) }
