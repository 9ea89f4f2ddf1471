package ev_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/goevlib/ev"
)

// A file need not exist to be watched.
func ExampleStat() {
	loop, _ := ev.New()
	defer loop.Close()
	dir, _ := os.MkdirTemp("", "ev-example-*")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "config")

	config := ev.NewStat(loop, path, time.Second, func(s *ev.Stat) {
		switch {
		case s.Current() == nil:
			fmt.Println("removed")
			s.Stop() // the last active watcher: Run returns
		case s.Previous() == nil:
			fmt.Println("created:", s.Current().Size(), "bytes")
			os.Remove(path)
		default:
			fmt.Println("changed:", s.Previous().Size(), "bytes,", s.Current().Size(), "now")
		}
	})
	if err := config.Start(); err != nil {
		panic(err)
	}
	os.WriteFile(path, []byte("verbose = 1\n"), 0o600)
	loop.Run(context.Background())
	// Output:
	// created: 12 bytes
	// removed
}
