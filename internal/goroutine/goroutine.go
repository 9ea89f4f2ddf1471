// Package goroutine finds goroutines by their ID, which Go shows only in stack traces. It is for
// error messages and tools: a call takes microseconds, and Stacks stops the whole process while
// it prints all stacks.
package goroutine

import (
	"bytes"
	"runtime"
)

// ID returns the ID of this goroutine, or 0 if it was not found.
func ID() uint64 {
	var buf [64]byte
	return idOf(buf[:runtime.Stack(buf[:], false)])
}

// InBubble reports whether this goroutine is in a bubble of testing/synctest. There, the first
// line of a stack trace is "goroutine 7 [running, synctest bubble 6]:".
func InBubble() bool {
	var buf [64]byte
	line, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte("\n"))
	return bytes.Contains(line, []byte("synctest"))
}

// idOf reads the ID in a stack trace, whose first line is "goroutine 7 [running]:".
func idOf(stack []byte) uint64 {
	line, _ := bytes.CutPrefix(stack, []byte("goroutine "))
	id := uint64(0)
	for _, c := range line {
		if c < '0' || c > '9' {
			break
		}
		id = 10*id + uint64(c-'0')
	}
	return id
}

// maxStacks is how many bytes of the stacks of all goroutines Stacks searches.
const maxStacks = 64 << 20

// Stacks returns the stacks of the goroutines with these IDs, in this order, all taken at the
// same moment. The stack of a goroutine that was not found is "". Stacks goes through the stacks
// of all goroutines once.
func Stacks(ids ...uint64) []string {
	found := make(map[uint64]string, len(ids))
	for _, id := range ids {
		found[id] = ""
	}
	for stack := range bytes.SplitSeq(all(), []byte("\n\n")) {
		stack = bytes.TrimSpace(stack)
		id := idOf(stack)
		if text, asked := found[id]; asked && text == "" && id != 0 {
			found[id] = string(stack)
		}
	}
	stacks := make([]string, len(ids))
	for i, id := range ids {
		stacks[i] = found[id]
	}
	return stacks
}

// perStack is the space for one stack, about. The first buffer should hold all stacks: each
// further try stops the process again.
const perStack = 2 << 10

func all() []byte {
	for size := max(1<<20, runtime.NumGoroutine()*perStack); ; size *= 4 {
		buf := make([]byte, min(size, maxStacks))
		if n := runtime.Stack(buf, true); n < len(buf) || size >= maxStacks {
			return buf[:n]
		}
	}
}
