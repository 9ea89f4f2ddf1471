package evdebug

import (
	"strings"
	"unicode/utf8"

	"github.com/goevlib/ev/evmeter"
)

// The limits of a page: names can have any length, and callbacks can be nested to any depth.
const (
	maxName  = 200 // bytes
	maxDepth = 100
)

// clip shortens a very long name.
func clip(name string) string {
	if len(name) <= maxName {
		return name
	}
	end := maxName
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return strings.Clone(name[:end]) + "…"
}

// clipPosition shortens a very long position. It keeps the end, which has the file and the line.
func clipPosition(position string) string {
	if len(position) <= maxName {
		return position
	}
	start := len(position) - maxName
	for start < len(position) && !utf8.RuneStart(position[start]) {
		start++
	}
	return "…" + position[start:]
}

func clipSource(s *evmeter.Source) {
	s.Name, s.Position, s.Function = clip(s.Name), clipPosition(s.Position), clipPosition(s.Function)
}

func clipCalls(calls []evmeter.Call) {
	for i := range calls {
		clipSource(&calls[i].Source)
	}
}

func clipActive(groups []evmeter.Active) {
	for i := range groups {
		g := &groups[i]
		g.Name, g.Position = clip(g.Name), clipPosition(g.Position)
	}
}

func clipTasks(tasks []evmeter.Task) {
	for i := range tasks {
		t := &tasks[i]
		t.Name, t.For = clip(t.Name), clip(t.For)
		t.Position, t.At = clipPosition(t.Position), clipPosition(t.At)
	}
}

// clipped returns a Reading within the limits. It keeps the innermost of nested callbacks.
func clipped(r evmeter.Reading) evmeter.Reading {
	r.Name = clip(r.Name)
	r.InProgress = r.InProgress[max(0, len(r.InProgress)-maxDepth):]
	clipCalls(r.InProgress)
	clipCalls(r.Slowest)
	for i := range r.Sources {
		clipSource(&r.Sources[i])
	}
	return r
}
