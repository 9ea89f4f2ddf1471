package ev

import (
	"fmt"
	"strings"
)

// Events is a set of event bits, with libev's numbers (EV_READ, EV_TIMER, …).
type Events uint32

// The events. The loop never produces Custom: use it with Feed and Invoke. Error is added to the
// events of a watcher that the loop had to stop.
const (
	None          Events = 0
	Read          Events = 0x01
	Write         Events = 0x02
	TimerEvent    Events = 0x100
	PeriodicEvent Events = 0x200
	SignalEvent   Events = 0x400
	ChildEvent    Events = 0x800
	StatEvent     Events = 0x1000
	IdleEvent     Events = 0x2000
	PrepareEvent  Events = 0x4000
	CheckEvent    Events = 0x8000
	EmbedEvent    Events = 0x10000
	CleanupEvent  Events = 0x40000
	AsyncEvent    Events = 0x80000
	Custom        Events = 0x1000000
	Error         Events = 0x80000000
)

var eventNames = []struct {
	bit  Events
	name string
}{
	{Read, "Read"}, {Write, "Write"}, {TimerEvent, "Timer"}, {PeriodicEvent, "Periodic"},
	{SignalEvent, "Signal"}, {ChildEvent, "Child"}, {StatEvent, "Stat"}, {IdleEvent, "Idle"},
	{PrepareEvent, "Prepare"}, {CheckEvent, "Check"}, {EmbedEvent, "Embed"},
	{CleanupEvent, "Cleanup"}, {AsyncEvent, "Async"}, {Custom, "Custom"}, {Error, "Error"},
}

// String returns the names of the bits, joined by "|". Bits without a name are in hex.
func (e Events) String() string {
	if e == None {
		return "None"
	}
	var names []string
	for _, n := range eventNames {
		if e&n.bit != 0 {
			names = append(names, n.name)
			e &^= n.bit
		}
	}
	if e != 0 {
		names = append(names, fmt.Sprintf("%#x", uint32(e)))
	}
	return strings.Join(names, "|")
}
