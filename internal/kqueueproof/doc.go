// Package kqueueproof runs the tests of the core on Linux with netpoll_kqueue.go in
// the place of Linux's files. The calls of kqueue, all that netpoll_bsd.go has, are
// played by poll in testdata/calls.go.
//
// It proves what BackendKqueue does with kqueue's answers: how a loop parks on a pipe,
// how the helper is armed, wakes the loop and ends, what becomes of a filter that is
// refused, with the race detector. It proves nothing of the answers: whether a system
// gives them is a matter of its manual pages, in the notes of netpoll_bsd.go. Child
// and Stat are Linux's own here, and so are timers and signals.
package kqueueproof
