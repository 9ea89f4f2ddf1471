package main

import (
	"os"
	"syscall"

	"github.com/goevlib/ev"
)

// supervisor is the services with their common state.
type supervisor struct {
	services []*service
	stopping bool
	err      error // why it gave up; nil if a signal stopped it
}

// hangup is syscall.SIGHUP by its number, because js lacks the name. No signal
// ever comes there.
const hangup = syscall.Signal(1)

func newSupervisor(loop *ev.Loop, o options) (*supervisor, error) {
	s := new(supervisor)
	for sig, fn := range map[os.Signal]func(*ev.Signal){
		hangup:          s.restart,
		syscall.SIGINT:  s.interrupt,
		syscall.SIGTERM: s.interrupt,
	} {
		w := ev.NewSignal(loop, sig, fn)
		if err := w.Start(); err != nil {
			return nil, err
		}
		w.Keep(false) // only services keep Run going
	}
	// Before the first program runs, so that no signal gets its default action.
	for _, program := range o.programs {
		v := newService(loop, program, o)
		v.fail = s.fail
		s.services = append(s.services, v)
	}
	for _, v := range s.services {
		if !s.stopping { // fail may have been called
			v.start()
		}
	}
	return s, nil
}

func (s *supervisor) restart(*ev.Signal) {
	if s.stopping {
		return
	}
	say("hangup: restarting all")
	for _, v := range s.services {
		v.restart()
	}
}

func (s *supervisor) interrupt(sig *ev.Signal) {
	if s.stopping {
		say("second signal (%v): killing", sig.Signal())
		for _, v := range s.services {
			v.kill()
		}
		return
	}
	say("%v: stopping all; a second signal kills", sig.Signal())
	s.stop()
}

// fail ends the supervisor for an error that does not go away by waiting.
func (s *supervisor) fail(err error) {
	if s.err == nil {
		s.err = err
	}
	s.stop()
}

func (s *supervisor) stop() {
	s.stopping = true
	for _, v := range s.services {
		v.stop()
	}
}
