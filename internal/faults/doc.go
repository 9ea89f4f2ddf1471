// Package faults has no code, only tests: of what the loop does when the system,
// the runtime or a callback does not do what it should. Each runs in a process of
// its own, since what it breaks is the whole process's. docs/reliability.md says,
// row by row, what comes of each fault.
package faults
