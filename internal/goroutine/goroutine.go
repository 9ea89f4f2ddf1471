// Package goroutine finds goroutines by their number, which Go offers in stack
// traces only. It is for error messages and for tools: it costs microseconds, and
// Stacks stops the whole process for as long as it prints.
package goroutine

import (
	"bytes"
	"runtime"
)

// ID returns the number of this goroutine, or 0.
func ID() uint64 {
	var buf [64]byte
	return number(buf[:runtime.Stack(buf[:], false)])
}

// InBubble reports whether this goroutine is in a bubble of testing/synctest. The
// first line of its stack trace is "goroutine 7 [running, synctest bubble 6]:" then.
func InBubble() bool {
	var buf [64]byte
	line, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte("\n"))
	return bytes.Contains(line, []byte("synctest"))
}

// number reads that of a stack trace, whose first line is "goroutine 7 [running]:".
func number(stack []byte) uint64 {
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

// maxStacks is how much of the stacks of all goroutines is looked through.
const maxStacks = 64 << 20

// Stacks returns the stacks of the goroutines with these numbers, in this order,
// all of one moment. That of a goroutine that was not found is "". It goes through
// all stacks once, however many are asked for.
func Stacks(ids ...uint64) []string {
	found := make(map[uint64]string, len(ids))
	for _, id := range ids {
		found[id] = ""
	}
	for stack := range bytes.SplitSeq(all(), []byte("\n\n")) {
		stack = bytes.TrimSpace(stack)
		id := number(stack)
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

// perStack is about as much as a stack needs. Room for all at the first try: each
// further one stops the process again.
const perStack = 2 << 10

func all() []byte {
	for size := max(1<<20, runtime.NumGoroutine()*perStack); ; size *= 4 {
		buf := make([]byte, min(size, maxStacks))
		if n := runtime.Stack(buf, true); n < len(buf) || size >= maxStacks {
			return buf[:n]
		}
	}
}
