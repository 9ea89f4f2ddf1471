package ev

import "time"

// chanPoller parks on a channel. New makes the channel and the timer, and no goroutine,
// so that a loop made in a testing/synctest bubble stays in it.
type chanPoller struct {
	noFiles
	base  time.Time
	woken chan struct{} // holds one wake; a second would add nothing
	timer *time.Timer
}

func newChanPoller(base time.Time) *chanPoller {
	p := &chanPoller{base: base, woken: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p
}

func (p *chanPoller) park(_, until time.Duration, _ bool, commit func() bool) {
	if !commit() {
		return
	}
	if until >= farAway {
		<-p.woken
		return
	}
	p.timer.Reset(until - time.Since(p.base))
	select {
	case <-p.woken:
		p.timer.Stop()
	case <-p.timer.C:
	}
}

func (p *chanPoller) wakeByDeadline() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *chanPoller) wakeByFD()                { p.wakeByDeadline() }
func (p *chanPoller) canWakeByFD() bool        { return false }
func (p *chanPoller) wakeWithin(time.Duration) {}
func (p *chanPoller) close() error             { return nil }
