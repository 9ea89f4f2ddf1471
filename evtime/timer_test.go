package evtime_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

func TestTheOptionsAreGivenToTheTimer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *script) {
		var order []string
		for _, o := range []struct {
			name     string
			priority int
		}{{"last", -1}, {"first", 2}, {"second", 0}} {
			evtime.NewTicker(s.Loop, sec, func(k *evtime.Ticker, _ int64) {
				order = append(order, o.name)
				k.Stop()
			}, ev.Priority(o.priority), ev.Name(o.name)).Start()
		}
		var names []string
		for w := range s.Watchers() {
			names = append(names, w.Name())
		}
		assert.ElementsMatch(t, []string{"first", "second", "last"}, names)
		s.play()
		assert.Equal(t, []string{"first", "second", "last"}, order)
	})
}
