package ev

import (
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"weak"
)

// live is every loop of the process that was not closed, for tools that look at
// them all. It keeps none of them alive: a loop that is dropped without Close is
// collected, and its resources are freed; see resources.
var live struct {
	mu    sync.Mutex
	last  uint64
	loops map[uint64]weak.Pointer[Loop]
}

// Loops returns the loops that were made and not closed yet, the oldest first; one
// that is closed during a Run, until that returns.
// Any goroutine may call it. It is for tools that show what a process does.
func Loops() []*Loop {
	live.mu.Lock()
	var loops []*Loop
	for _, p := range live.loops {
		if l := p.Value(); l != nil {
			loops = append(loops, l)
		}
	}
	live.mu.Unlock()
	slices.SortFunc(loops, func(a, b *Loop) int { return cmp.Compare(a.id, b.id) })
	return loops
}

// ID returns a number that no other loop of the process has: 1 for the first
// one made. Any goroutine may call it.
func (l *Loop) ID() uint64 { return l.id }

// String returns what profiles, traces and tools call the loop: its name or, without
// one, its number, "loop 7". Any goroutine may call it.
func (l *Loop) String() string {
	l.checkConstructed("String")
	if l.name != "" {
		return l.name
	}
	return "loop " + strconv.FormatUint(l.id, 10)
}

func (l *Loop) register() {
	live.mu.Lock()
	defer live.mu.Unlock()
	if live.loops == nil {
		live.loops = make(map[uint64]weak.Pointer[Loop])
	}
	live.last++
	l.id = live.last
	live.loops[l.id] = weak.Make(l)
	runtime.AddCleanup(l, unregister, l.id)
}

func unregister(id uint64) {
	live.mu.Lock()
	defer live.mu.Unlock()
	delete(live.loops, id)
}
