package leak

import (
	"os"
	"testing"
	"time"

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

func TestOneLookThatSeesNoMoreDecides(t *testing.T) {
	seen := 0
	look := func() Held {
		seen++
		return Held{Goroutines: []int{1000, 2, 1000}[seen-1]}
	}
	require.NoError(t, since(look, Held{Goroutines: 2}, patience, nil))
	require.Equal(t, 2, seen)
}
