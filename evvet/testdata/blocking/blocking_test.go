package blocking

import (
	"testing"
	"time"

	"github.com/goevlib/ev"
)

// Tests block a loop on purpose.
func TestBlocked(t *testing.T) {
	l, err := ev.New()
	if err != nil {
		t.Fatal(err)
	}
	ev.NewTimer(l, 0, 0, func(*ev.Timer) { time.Sleep(1) })
	_ = l.Post(func() { time.Sleep(1) })
}
