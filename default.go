package ev

import "sync"

// Version is this package's, not libev's ABI.
const Version = "0.1.0"

var defaultLoop struct {
	mu sync.Mutex
	l  *Loop
}

// Default returns the process-wide loop, made by New() the first time and again
// after it was closed (ev_default_loop). Any goroutine may call it, but the loop
// belongs to one, as every loop does. It has no privileges: a loop of your own,
// passed to who needs it, is as good and easier to test.
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
