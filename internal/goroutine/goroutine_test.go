package goroutine_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev/internal/goroutine"
)

func TestEachGoroutineHasItsOwnNumber(t *testing.T) {
	other := make(chan uint64)
	go func() { other <- goroutine.ID() }()
	here := goroutine.ID()
	assert.NotZero(t, here)
	assert.NotContains(t, []uint64{0, here}, <-other)
	assert.Equal(t, here, goroutine.ID())
}

func TestAGoroutineKnowsWhetherItIsInABubble(t *testing.T) {
	assert.False(t, goroutine.InBubble())
	synctest.Test(t, func(t *testing.T) {
		assert.True(t, goroutine.InBubble())
		within := make(chan bool)
		go func() { within <- goroutine.InBubble() }()
		assert.True(t, <-within)
	})
}

func TestStacksAreFoundByNumberInTheOrderAskedFor(t *testing.T) {
	number, release := make(chan uint64), make(chan struct{})
	go waitHere(number, release)
	other := <-number
	defer close(release)
	stacks := goroutine.Stacks(other, 1<<62, goroutine.ID())
	assert.Contains(t, stacks[0], "waitHere")
	assert.Empty(t, stacks[1], "there is no such goroutine")
	assert.Contains(t, stacks[2], "TestStacksAreFoundByNumberInTheOrderAskedFor")
	assert.NotContains(t, stacks[2], "waitHere")
}

func waitHere(number chan<- uint64, release <-chan struct{}) {
	number <- goroutine.ID()
	<-release
}
