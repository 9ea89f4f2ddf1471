package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/goevlib/ev"
)

// service is one program. It runs (cmd is not nil, child is active), or waits for
// its next start (wait is active), or it is stopped.
type service struct {
	loop    *ev.Loop
	program []string
	grace   time.Duration
	backoff backoff
	fail    func(error)

	cmd     *exec.Cmd
	child   *ev.Child
	started time.Time
	wait    *ev.Timer // until the next start
	term    *ev.Timer // from SIGTERM to SIGKILL
	then    next      // the action after the exit
}

type next int

const (
	backOff next = iota
	startAgain
	stayDown
)

func newService(loop *ev.Loop, program []string, o options) *service {
	v := &service{loop: loop, program: program, grace: o.grace, backoff: backoff{min: o.min, max: o.max}}
	v.wait = ev.NewTimer(loop, 0, 0, func(*ev.Timer) { v.start() }, ev.Name(program[0]))
	v.term = ev.NewTimer(loop, 0, 0, func(*ev.Timer) { v.kill() }, ev.Name(program[0]))
	return v
}

func (v *service) start() {
	cmd := exec.Command(v.program[0], v.program[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr // files: Wait waits for the program alone
	if err := cmd.Start(); err != nil {
		v.startLater(err.Error())
		return
	}
	v.child = ev.NewChild(v.loop, cmd.Process.Pid, v.exited, ev.Name(v.program[0]))
	if err := v.child.Start(); err != nil {
		_ = cmd.Process.Kill() // a process that cannot be watched must not run
		_ = cmd.Wait()
		v.fail(err)
		return
	}
	v.cmd, v.started, v.then = cmd, time.Now(), backOff
	v.say("started, pid %d", cmd.Process.Pid)
}

// exited is called when the program has exited already: Wait does not block.
func (v *service) exited(c *ev.Child) {
	c.Stop()
	v.term.Stop()
	_ = v.cmd.Wait()
	how := v.cmd.ProcessState.String()
	v.cmd = nil
	if time.Since(v.started) > v.backoff.max {
		v.backoff.reset()
	}
	switch v.then {
	case backOff:
		v.startLater(how)
	case startAgain:
		v.say("%s", how)
		v.start()
	case stayDown:
		v.say("%s", how)
	}
}

func (v *service) startLater(why string) {
	d := v.backoff.next()
	v.say("%s; starting in %v", why, d)
	v.after(v.wait, d)
}

// restart starts the program at once or, if it runs, after its exit.
func (v *service) restart() {
	v.backoff.reset()
	if v.terminate(startAgain); v.cmd == nil {
		v.start()
	}
}

func (v *service) stop() { v.terminate(stayDown) }

// terminate sends SIGTERM to a running program, once, and ends the wait of a
// program that does not run.
func (v *service) terminate(then next) {
	v.then = then
	v.wait.Stop()
	if v.cmd != nil && !v.term.Active() {
		v.signal(syscall.SIGTERM)
		v.after(v.term, v.grace)
	}
}

func (v *service) kill() {
	if v.cmd != nil {
		v.say("killing")
		v.signal(os.Kill)
	}
}

// signal ignores errors. While cmd is set, Wait has not been called for the
// program, and if it has exited, its callback will come.
func (v *service) signal(sig os.Signal) { _ = v.cmd.Process.Signal(sig) }

func (v *service) after(t *ev.Timer, d time.Duration) {
	t.Stop()
	if err := t.Set(d, 0); err != nil {
		v.fail(err)
		return
	}
	t.Start()
}

func (v *service) say(format string, args ...any) {
	say("%s: %s", v.program[0], fmt.Sprintf(format, args...))
}
