// Package kqueueproof runs the tests of the core on Linux with netpoll_bsd.go in place
// of Linux's files. testdata/calls.go takes the place of internal/kqueue, and emulates
// it by poll(2).
//
// The tests show, with the race detector, what BackendKqueue does with kqueue's answers:
// how a loop parks on a pipe, how the helper is armed, wakes the loop and ends, and what
// happens when a filter is refused. They do not show that a system gives these answers:
// see the notes in internal/kqueue. Child, Stat, timers and signals are Linux's own here.
package kqueueproof
