// Package goroutine finds goroutines by their number, which Go offers in stack
// traces only. It is for error messages and for tools: it costs microseconds, and
// Stacks stops the whole process for as long as it prints.
package goroutine

import (
	"bytes"
	"fmt"
	"runtime"
)

// ID returns the number of this goroutine, as the first line of a stack trace has
// it, "goroutine 7 [running]:", or 0.
func ID() uint64 {
	var buf [64]byte
	line, _ := bytes.CutPrefix(buf[:runtime.Stack(buf[:], false)], []byte("goroutine "))
	id := uint64(0)
	for _, c := range line {
		if c < '0' || c > '9' {
			break
		}
		id = 10*id + uint64(c-'0')
	}
	return id
}

// maxStacks is how much of the stacks of all goroutines is looked through.
const maxStacks = 64 << 20

// Stacks returns the stacks of the goroutines with these numbers, in this order,
// all of one moment. That of a goroutine that was not found is "".
func Stacks(ids ...uint64) []string {
	stacks := make([]string, len(ids))
	for _, stack := range bytes.Split(all(), []byte("\n\n")) {
		for i, id := range ids {
			if bytes.HasPrefix(stack, fmt.Appendf(nil, "goroutine %d ", id)) {
				stacks[i] = string(bytes.TrimSpace(stack))
			}
		}
	}
	return stacks
}

func all() []byte {
	for size := 1 << 20; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxStacks {
			return buf[:n]
		}
	}
}
