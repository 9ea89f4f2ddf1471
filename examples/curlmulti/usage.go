//go:build cgo

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/goevlib/ev"
)

// usage is the number of this process's threads, goroutines, watchers and
// descriptors.
type usage struct {
	threads, goroutines, watchers, descriptors int
}

// take counts. It must be called on the loop's goroutine.
func take(loop *ev.Loop) (usage, error) {
	threads, err := threads()
	if err != nil {
		return usage{}, err
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return usage{}, err
	}
	return usage{threads, runtime.NumGoroutine(), loop.Active(), len(open)}, nil
}

// threads returns the number of the process's threads, libcurl's included, as
// Linux counts them.
func threads() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if count, ok := strings.CutPrefix(line, "Threads:"); ok {
			return strconv.Atoi(strings.TrimSpace(count))
		}
	}
	return 0, fmt.Errorf("/proc/self/status does not count threads")
}
