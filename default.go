package ev

import "sync"

// Version is the version of this package, not of libev's ABI.
const Version = "0.1.0"

var defaultLoop struct {
	mu sync.Mutex
	l  *Loop
}

// Default returns the process-wide loop (ev_default_loop). New() makes it at the first
// call, and again after it was closed. Default is safe for concurrent use; the loop
// belongs to one goroutine, like every loop. It has no privileges: a loop that you make
// and pass on does the same and is easier to test.
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
