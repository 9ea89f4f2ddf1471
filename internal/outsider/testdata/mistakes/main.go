// Command mistakes is full of them. Each is marked at the end of its line.
package main

import (
	"context"
	"log"

	"github.com/goevlib/ev"
)

func main() {
	loop, err := ev.New()
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close()
	g := newGarden(loop)
	g.serve()
	g.chores()
	if err := loop.Run(context.Background()); err != nil {
		log.Fatal(err)
	}
}
