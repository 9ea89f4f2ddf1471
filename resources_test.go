package ev

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In a bubble, a Signal, or a host that waits for its embedded loop, has a goroutine
// that ends by a channel of the bubble. The garbage collector runs outside the bubble:
// closing the channel there would end the process.
func TestALoopDroppedInABubbleIsLeftToTheBubble(t *testing.T) {
	for _, backend := range SupportedBackends() {
		t.Run(backend.String(), func(t *testing.T) { droppedInAndOutsideABubble(t, backend) })
	}
}

func droppedInAndOutsideABubble(t *testing.T, backend Backend) {
	for name, inBubble := range map[string]bool{"in a bubble": true, "outside": false} {
		t.Run(name, func(t *testing.T) {
			test := func(t *testing.T) {
				var freed, collected atomic.Bool
				quit := make(chan struct{})
				go func() { <-quit }()
				func() {
					l, err := New(WithBackend(backend))
					require.NoError(t, err)
					l.resources.add(func() { freed.Store(true); close(quit) })
					runtime.AddCleanup(l, func(*int) { collected.Store(true) }, nil)
				}()
				done := func() bool { return collected.Load() && (inBubble || freed.Load()) }
				for tries := 0; !done() && tries < 5_000; tries++ { // a bubble's clock stands still
					runtime.GC()
				}
				runtime.GC() // once more: the order of cleanups is not promised
				assert.True(t, collected.Load())
				assert.Equal(t, !inBubble, freed.Load())
				if !freed.Load() {
					close(quit)
				}
			}
			if inBubble {
				synctest.Test(t, test)
			} else {
				test(t)
			}
		})
	}
}
