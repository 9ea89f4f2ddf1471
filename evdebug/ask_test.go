package evdebug

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev/evmeter"
)

func TestAnAnswerThatHeldUpTheLoopIsGoodForLonger(t *testing.T) {
	for _, c := range []struct {
		took, age time.Duration
		stale     bool
	}{
		{time.Microsecond, time.Second / 2, false},
		{time.Microsecond, time.Second, true},
		{50 * time.Millisecond, 4 * time.Second, false},
		{50 * time.Millisecond, 5 * time.Second, true},
	} {
		q := &question{done: make(chan struct{}), answer: evmeter.Inspection{Took: c.took}, at: time.Now().Add(-c.age)}
		assert.False(t, q.stale(), "not answered yet")
		close(q.done)
		assert.Equal(t, c.stale, q.stale(), "%+v", c)
	}
}
