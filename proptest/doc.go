// Package proptest has only tests of package ev: random programs that use its exported
// API and Loop.Verify.
//
// Random programs of pgregory.net/rapid run on a real loop and on a reference. The
// reference is a slow loop of plain slices in virtual time, written from the
// documentation. Both must do the same, step by step. Methods that are safe for
// concurrent use are compared with a sequential model, by
// github.com/anishathalye/porcupine. FuzzAPI uses all kinds of watchers on two loops. It
// has no reference and checks invariants.
//
//	go test -race ./...                         # seconds
//	go test -run Programs -rapid.checks=100000  # as long as you like
//	go test -fuzz FuzzAPI                       # until it finds something
//
// A failure prints the smallest program that shows it, and rapid says how to run it
// again.
package proptest
