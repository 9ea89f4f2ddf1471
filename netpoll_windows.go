package ev

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goevlib/ev/internal/afd"
)

// This file is BackendAFD. internal/afd makes the system calls, and describes them.

var backends = []Backend{BackendAFD, BackendChan}

func openWake() (readEnd, writeEnd *os.File, err error) { return nil, nil, errors.ErrUnsupported }

// afdPoller parks on a channel, with and without sockets. Until the first watch it is a
// chanPoller. From then on, the loop looks at the set before it parks, and the helper of the set
// wakes it when a socket becomes ready: the token in the channel is the wake that is not lost,
// which the helper's argument asks for.
type afdPoller struct {
	*chanPoller
	set   *afd.Set
	ready []readyFD
}

func openNative(base time.Time) (poller, error) {
	return &afdPoller{chanPoller: newChanPoller(base)}, nil
}

func (p *afdPoller) openSet() (err error) {
	if p.set == nil {
		p.set, err = afd.Open(p.wakeByDeadline)
	}
	return err
}

// reopenSet has nothing to do: a poll ends when its socket is closed.
func (p *afdPoller) reopenSet() error { return nil }

// watch is about the socket that has the number now.
func (p *afdPoller) watch(fd int, generation uint32, _ bool, events Events) error {
	return p.set.Watch(fd, generation, afd.Events(events))
}

func (p *afdPoller) holds(int, uint32, Events) bool { return true }

func (p *afdPoller) park(now, until time.Duration, files bool, commit func() bool) {
	files = files && p.set != nil
	if files {
		if p.set.Look() {
			return
		}
		p.set.AwaitWake()
	}
	p.chanPoller.park(now, until, files, commit)
	if files {
		p.set.LookAfterWake()
	}
}

func (p *afdPoller) poll() {
	if p.set != nil {
		p.set.Look()
	}
}

func (p *afdPoller) found() bool { return p.set != nil && len(p.set.Ready()) > 0 }

func (p *afdPoller) take() []readyFD {
	if p.set == nil {
		return nil
	}
	p.ready = p.ready[:0]
	for _, r := range p.set.Ready() {
		p.ready = append(p.ready, readyFD{r.Socket, r.Generation, Events(r.Events)})
	}
	p.set.Drop()
	return p.ready
}

func (p *afdPoller) close() error {
	if p.set == nil {
		return nil
	}
	if err := p.set.Close(); err != nil {
		return fmt.Errorf("ev: Close: %w", err)
	}
	return nil
}
