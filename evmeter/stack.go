package evmeter

import (
	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/goroutine"
)

// Stack returns the stack of the goroutine that is in the loop's Run. For a loop that does
// not answer, it shows where the loop hangs. Stack returns "" if no goroutine was found. It
// is safe for concurrent use. It panics if l is nil. It stops the whole process while the
// stacks of all goroutines are printed.
func Stack(l *ev.Loop) string {
	if l == nil {
		panic("evmeter: Stack: nil loop")
	}
	return Stacks(l)[0]
}

// Stacks is Stack for several loops. It stops the process once for all of them.
func Stacks(loops ...*ev.Loop) []string {
	ids, running := make([]uint64, len(loops)), false
	for i, l := range loops {
		if l == nil {
			panic("evmeter: Stacks: nil loop")
		}
		ids[i] = l.GoroutineID()
		running = running || ids[i] != 0
	}
	if !running {
		return make([]string, len(loops))
	}
	return goroutine.Stacks(ids...)
}
