package ev

import (
	"cmp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"weak"
)

// Version is the version of this package, not of libev's ABI.
const Version = "0.1.0"

// live is every loop of the process that is not closed, for tools. It keeps none of them
// alive; see resources.
var live struct {
	mu    sync.Mutex
	last  uint64
	loops map[uint64]weak.Pointer[Loop]
}

// Loops returns the loops that were made and not closed yet, the oldest first. A loop that
// is closed during a Run is among them until that Run returns. Loops is for tools that
// show what a process does. Any goroutine may call it.
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

// ID returns a number that no other loop of the process has: 1 for the first one made. Any
// goroutine may call it.
func (l *Loop) ID() uint64 { return l.id }

// String returns the name by which profiles, traces and tools call the loop: that of
// WithName or, without one, its number, "loop 7". Any goroutine may call it.
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

var defaultLoop struct {
	mu sync.Mutex
	l  *Loop
}

// Default returns the process-wide loop (ev_default_loop). The first call makes it by New,
// and so does the first one after it was closed. Default is safe for concurrent use. The
// loop belongs to one goroutine, like every loop. It has no privileges: a loop that you
// make and pass on does the same and is easier to test.
func Default() (*Loop, error) {
	d := &defaultLoop
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.l != nil && !d.l.isClosed() {
		return d.l, nil
	}
	l, err := New(WithName("default"))
	if err != nil {
		return nil, err
	}
	d.l = l
	return l, nil
}
