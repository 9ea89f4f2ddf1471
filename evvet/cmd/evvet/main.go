// Command evvet reports methods of ev's loops and watchers that are called on a goroutine other
// than the loop's. Package evvet documents what it reports and what it does not.
//
//	go install github.com/goevlib/ev/evvet/cmd/evvet
//	evvet ./...
package main

import (
	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/goevlib/ev/evvet"
)

func main() { singlechecker.Main(evvet.Analyzer) }
