// Package process watches a process: it reports the exit and, where the system can, stops
// and continues. It never reaps.
//
// The platform's files define:
//
//	Open(pid, trace)       a *Process; trace is for stops and continues
//	Process.Watch(report)  report the changes from now on, and an earlier exit; called once
//	Process.Close()        end the reports; any number of times, on any goroutine
//
// A caller of Open must call Close. Close does not wait for a report in progress, and
// reports can still come for a moment.
//
// On systems other than Linux, macOS and the BSDs, Open fails with errors.ErrUnsupported.
package process

import "syscall"

// Report is called for each change of state, on any goroutine, also concurrently. A stop or
// continue that is reported after the exit must be ignored.
type Report func(status syscall.WaitStatus, exit bool)
