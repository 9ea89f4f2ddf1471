//go:build linux || darwin

package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// places are where the system may run the two processes. At one connection they take turns, and
// whether the system puts both on one processor decides more than the server does: a wake-up of
// a process on another processor, which sleeps, takes longer than an echo. It chooses anew in
// each run, so runs disagree unless it is told.
var places = map[string]place{
	"free":     {},
	"together": {client: "0", server: "0"},
	"apart":    {client: "0", server: "1"},
}

// place is the processor of each process; "" is any.
type place struct{ client, server string }

// placedEnv is set in a client that is where it must be.
const placedEnv = "EV_BENCH_ECHO_PLACED"

// enter puts this process, the client, in its place: it begins anew there. All threads must be
// there from the start.
func (p place) enter() error {
	if p.client == "" || os.Getenv(placedEnv) != "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return fmt.Errorf("-place: %w", err)
	}
	args := append([]string{taskset, "-c", p.client, self}, os.Args[1:]...)
	return syscall.Exec(taskset, args, append(os.Environ(), placedEnv+"=1"))
}

// command returns the command that starts the server in its place.
func (p place) command(program string) *exec.Cmd {
	if p.server == "" {
		return exec.Command(program)
	}
	return exec.Command("taskset", "-c", p.server, program)
}
