package evprom

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goevlib/ev"
)

// name gives every live loop a label of its own, and forgets the labels of other loops. A loop
// that has a label keeps it.
func (c *collector) name(live []*ev.Loop) {
	now := make(map[uint64]*labels, len(live))
	taken := make(map[string]bool)
	for _, l := range live {
		if known := c.loops[l.ID()]; known != nil {
			now[l.ID()] = known
			taken[known.loop] = true
		}
	}
	tried := make(map[string]int)
	for _, l := range live {
		if now[l.ID()] == nil {
			label := free(clean(l.String()), taken, tried)
			taken[label] = true
			now[l.ID()] = &labels{loop: label, watchers: make(watchers)}
		}
	}
	c.loops = now
}

// free returns the first label for this name that is not taken: the name, or "name 2" and so on.
// tried has the last number that was tried for each name. Labels are only added between the calls,
// so all earlier numbers are still taken: n loops with the same name take n tries and not n²/2.
func free(name string, taken map[string]bool, tried map[string]int) string {
	for i := tried[name] + 1; ; i++ {
		label := name
		if i > 1 {
			label = fmt.Sprintf("%s %d", name, i)
		}
		if !taken[label] {
			tried[name] = i
			return label
		}
	}
}

// maxLabel is the longest label, in bytes. A server refuses a whole scrape for a very long label.
const maxLabel = 200

// clean makes a label from a name: valid UTF-8, which Prometheus requires, and not too long.
func clean(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) <= maxLabel {
		return name
	}
	end := maxLabel
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end] + "…"
}
