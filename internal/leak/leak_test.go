package leak

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const patience = 20 * time.Second

func TestWhatIsLeftIsNamed(t *testing.T) {
	before := Look()
	meet := make(chan struct{})
	go twice(meet)
	meet <- struct{}{}
	require.ErrorContains(t, Since(before, 0), "leak.twice", "the stacks of the goroutines")
	meet <- struct{}{}
	require.NoError(t, Since(before, patience))
}

func twice(meet chan struct{}) { <-meet; <-meet }

func TestADescriptorThatIsLeftIsNamed(t *testing.T) {
	if Look().Descriptors == 0 {
		t.Skip("the system does not list descriptors")
	}
	before := Look()
	f, err := os.Open(os.Args[0])
	require.NoError(t, err)
	defer f.Close()
	require.ErrorContains(t, Since(before, 0), os.Args[0])
	require.NoError(t, f.Close())
	require.NoError(t, Since(before, patience))
}

func TestTheCallsBetweenTheLooksFreeWhatIsLeft(t *testing.T) {
	before := Look()
	meet := make(chan struct{})
	for range 3 {
		go twice(meet)
	}
	require.NoError(t, Since(before, patience, func() {
		select {
		case meet <- struct{}{}:
		default:
		}
	}))
}

// The runtime counts goroutines that have ended while the garbage collector frees their stacks.
func TestTheGarbageCollectorLeavesNothingBehind(t *testing.T) {
	before, stop, stopped := Look(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	before.Goroutines++
	for range 2000 {
		var ending sync.WaitGroup
		for range 1000 {
			ending.Go(func() {})
		}
		ending.Wait()
		assert.NoError(t, Since(before, patience))
	}
	close(stop)
	<-stopped
}
