// Package faults has only tests. They check the loop's behaviour if the system, the
// runtime or a callback fails. Each test runs in a process of its own, because it breaks
// the whole process. docs/reliability.md lists the consequences of each fault.
package faults
