// Package leak finds the goroutines and descriptors that tests leave behind.
package leak

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

// Held is how much of them the process has.
type Held struct {
	Goroutines  int
	Descriptors int // 0 where Descriptors finds none
}

// Look returns what the process has now. There may be fewer goroutines than that: while the
// garbage collector frees the stacks of goroutines that have ended, the runtime counts those too.
func Look() Held {
	poller.Do(openPoller)
	descriptors := len(Descriptors()) // first: on js, a goroutine of the runtime brings the answers, and stays
	return Held{runtime.NumGoroutine(), descriptors}
}

// The runtime never closes what its poller needs. It must not count as left behind.
var poller sync.Once

func openPoller() {
	if r, w, err := os.Pipe(); err == nil {
		_, _ = r.Close(), w.Close()
	}
}

// Since waits until the process has no more than before, and calls each between its looks. It
// returns an error that shows what is left after the patience.
//
// One look that sees no more decides, for none sees too few while no goroutine starts. A second
// one could see more again: see Look.
func Since(before Held, patience time.Duration, each ...func()) error {
	return since(Look, before, patience, each)
}

func since(look func() Held, before Held, patience time.Duration, each []func()) error {
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		now := look()
		switch {
		case now.Goroutines <= before.Goroutines && now.Descriptors <= before.Descriptors:
			return nil
		case time.Since(began) > patience:
			return now.tooMany(before)
		}
		for _, f := range each {
			f()
		}
	}
}

// Exit is Since for a TestMain: it prints the error, and returns the exit code of the process.
func Exit(before Held, patience time.Duration) (code int) {
	if err := Since(before, patience); err != nil {
		fmt.Println("FAIL: the tests leave", err)
		return 1
	}
	return 0
}

func (h Held) tooMany(before Held) error {
	stacks := make([]byte, 1<<20)
	return fmt.Errorf("%d goroutines instead of %d, and %d descriptors instead of %d: %v\n%s",
		h.Goroutines, before.Goroutines, h.Descriptors, before.Descriptors,
		Descriptors(), stacks[:runtime.Stack(stacks, true)])
}

// Descriptors returns what each open descriptor is, by its number. It returns none without /proc,
// and on Windows: Wine shows the host's there.
func Descriptors() map[string]string {
	open := map[string]string{}
	if runtime.GOOS == "windows" {
		return open
	}
	const dir = "/proc/self/fd/"
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		// The descriptor that read the directory is closed by now.
		if is, err := os.Readlink(dir + e.Name()); err == nil {
			open[e.Name()] = is
		}
	}
	return open
}
