// Package proptest holds property and model tests of package ev, on its exported
// API and Loop.Verify alone. There is nothing to import.
//
// Random programs (pgregory.net/rapid) run on a real loop and on a reference, a
// slow loop of plain slices in virtual time that was written from the
// documentation. What the two do must be equal, step by step. The doors that are
// open to every goroutine are held against a sequential model
// (github.com/anishathalye/porcupine).
//
//	go test -race ./...                         # seconds
//	go test -run Programs -rapid.checks=100000  # as long as you like
//
// A failure prints the smallest program that shows it, and rapid says how to run
// it again.
package proptest
