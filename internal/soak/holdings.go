package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/goevlib/ev/internal/leak"
)

// holdings are the resources of the process.
type holdings struct {
	heap        int64 // bytes in use after a collection
	goroutines  int64
	descriptors int64 // 0 without /proc
	threads     int64 // of the system; 0 without /proc
}

// whileLiving is the growth that is allowed while rooms come and go at random. Chance alone must
// not reach it: one half of the samples has about 140 goroutines, the other 168, and a median may
// be of either.
// afterwards is the growth that is allowed after they are closed. The runtime never
// ends threads, and keeps some caches.
var (
	whileLiving = holdings{heap: 2 << 20, goroutines: 40, descriptors: 24, threads: 12}
	afterwards  = holdings{heap: 1 << 20, goroutines: 0, descriptors: 0, threads: 24}
)

func look() holdings {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	held := leak.Look()
	return holdings{
		heap:        int64(m.HeapAlloc),
		goroutines:  int64(held.Goroutines),
		descriptors: int64(held.Descriptors),
		threads:     threads(),
	}
}

func threads() int64 {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		var n int64
		if _, err := fmt.Sscanf(line, "Threads: %d", &n); err == nil {
			return n
		}
	}
	return 0
}

func median(samples []holdings) holdings {
	of := func(part func(holdings) int64) int64 {
		var values []int64
		for _, s := range samples {
			values = append(values, part(s))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	return holdings{
		heap:        of(func(h holdings) int64 { return h.heap }),
		goroutines:  of(func(h holdings) int64 { return h.goroutines }),
		descriptors: of(func(h holdings) int64 { return h.descriptors }),
		threads:     of(func(h holdings) int64 { return h.threads }),
	}
}

// compare names the resources that grew by more than the slack.
func compare(what string, before, after, slack holdings) error {
	var errs []error
	check := func(name string, before, after, slack int64) {
		if after > before+slack {
			errs = append(errs, fmt.Errorf("%s %s: %d before, %d after, and %d is allowed", name, what, before, after, before+slack))
		}
	}
	check("heap", before.heap, after.heap, slack.heap)
	check("goroutines", before.goroutines, after.goroutines, slack.goroutines)
	check("descriptors", before.descriptors, after.descriptors, slack.descriptors)
	check("threads", before.threads, after.threads, slack.threads)
	return errors.Join(errs...)
}
