package main

import (
	"slices"
	"strings"
)

// room is the clients that have a name. Only the loop's goroutine uses it: the tasks of all
// connections, one at a time.
type room map[string]*client

// enter reports whether the name is free. The others hear of it.
func (r room) enter(name string, c *client) bool {
	if r[name] != nil {
		return false
	}
	r.say("* " + name + " comes in")
	r[name] = c
	return true
}

func (r room) leave(name string) {
	delete(r, name)
	r.say("* " + name + " leaves")
}

func (r room) say(line string) {
	for _, c := range r {
		c.hear(line)
	}
}

func (r room) names() string {
	var names []string
	for name := range r {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
