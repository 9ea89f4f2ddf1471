// Package kqueueproof runs the tests of the core on Linux with the files of the BSDs in place
// of Linux's: netpoll_bsd.go, and those of internal/process and internal/pathwatch.
// testdata/calls.go takes the place of internal/kqueue, and emulates it by poll(2), pidfds and
// inotify.
//
// The tests show, with the race detector, what this code does with kqueue's answers: how a loop
// parks on a pipe, how the helper is armed, wakes the loop and ends, what happens when a filter
// is refused, how a Child finds an exit after a SIGCHLD, and how a Stat finds a change. They do
// not show that a system gives these answers: see the notes in internal/kqueue. Timers and
// signals are Linux's own here.
package kqueueproof
