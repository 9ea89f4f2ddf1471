package ev

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stepped is a poller that a test drives step by step, under the loop's own code and
// in a bubble of testing/synctest. The test can stop a goroutine at a point in the
// poller while others go on, read the counts, and let time pass. It chooses the
// schedule.
//
// The poller keeps the contract of the interface and promises nothing more:
//   - It forgets a wake that comes before commit.
//   - It delivers a write as late as the test says.
type stepped struct {
	noFiles
	base  time.Time
	woken chan struct{}

	mu     sync.Mutex
	stops  map[point]*stop
	late   time.Duration // from a write to its delivery; never: it is lost
	parks  int           // calls of park
	slept  int           // those in which commit agreed
	writes int
	direct int // calls of wakeByDeadline
	within int // calls of wakeWithin
}

// point is where a goroutine can be stopped.
type point string

const (
	beforeCommit point = "before commit"
	afterRefusal point = "commit has refused"
	beforeWrite  point = "before the write"
	afterWrite   point = "after the write"
	beforeDirect point = "before the direct wake"
)

// stop holds up the first goroutine to come to a point.
type stop struct {
	t       *testing.T
	at      point
	arrived chan struct{}
	gone    chan struct{}
}

// inSteps runs the test in a bubble. The clock stands still there unless all wait.
func inSteps(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

// newStepped makes a loop on a stepped poller, in WakeAuto.
func newStepped(t *testing.T) (*Loop, *stepped) {
	t.Helper()
	l := newBubbleLoop(t)
	p := &stepped{base: l.base, woken: make(chan struct{}, 1), stops: map[point]*stop{}}
	l.poller = p
	l.wakePolicy.strategy.Store(wakeWrite) // not the channel's
	l.wakePolicy.init(WakeAuto, p.canWakeByFD())
	return l, p
}

func newBubbleLoop(t *testing.T) *Loop {
	t.Helper()
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, l.Verify())
		assert.NoError(t, l.Close())
	})
	return l
}

// inRun runs the loop until the test ends.
func inRun(t *testing.T, l *Loop) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	t.Cleanup(func() {
		l.StopAll()
		if p, ok := l.poller.(*stepped); ok {
			p.end()
		}
		assert.NoError(t, <-ended)
	})
	synctest.Wait()
}

// stop makes the next goroutine that comes to this point wait there.
func (p *stepped) stop(t *testing.T, at point) *stop {
	s := &stop{t, at, make(chan struct{}), make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stops[at] = s
	return s
}

// reached waits until nothing can go on, and requires that a goroutine waits there.
func (s *stop) reached() {
	s.t.Helper()
	synctest.Wait()
	select {
	case <-s.arrived:
	default:
		close(s.gone) // so that the test ends
		require.FailNow(s.t, "nobody came", "%s", s.at)
	}
}

// goOn releases that goroutine, and waits until nothing can go on.
func (s *stop) goOn() {
	close(s.gone)
	synctest.Wait()
}

func (p *stepped) at(at point) {
	p.mu.Lock()
	s := p.stops[at]
	delete(p.stops, at)
	p.mu.Unlock()
	if s != nil {
		close(s.arrived)
		<-s.gone
	}
}

// pass lets time pass, and waits until nothing can go on.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (p *stepped) park(_, until time.Duration, _ bool, commit func() bool) {
	p.count(&p.parks)
	p.at(beforeCommit)
	select {
	case <-p.woken:
	default:
	}
	if !commit() {
		p.at(afterRefusal)
		return
	}
	p.count(&p.slept)
	if until == never {
		<-p.woken
		return
	}
	timer := time.NewTimer(until - time.Since(p.base))
	defer timer.Stop()
	select {
	case <-p.woken:
	case <-timer.C:
	}
}

func (p *stepped) wakeByFD() {
	p.at(beforeWrite)
	p.count(&p.writes)
	p.mu.Lock()
	late := p.late
	p.mu.Unlock()
	switch late {
	case 0:
		p.end()
	case never:
	default:
		time.AfterFunc(late, p.end)
	}
	p.at(afterWrite)
}

func (p *stepped) wakeByDeadline() {
	p.at(beforeDirect)
	p.count(&p.direct)
	p.end()
}

func (p *stepped) wakeWithin(d time.Duration) {
	p.count(&p.within)
	time.AfterFunc(d, p.end)
}

// end ends the sleep in progress.
func (p *stepped) end() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *stepped) canWakeByFD() bool { return true }
func (p *stepped) close() error      { return nil }

func (p *stepped) count(n *int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*n++
}

// deliverAfter sets how late writes are from now on.
func (p *stepped) deliverAfter(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = d
}

// counted waits until nothing can go on, and returns the counts since the last call.
func (p *stepped) counted() (c counts) {
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	c = counts{p.slept, p.writes, p.direct, p.within}
	p.parks, p.slept, p.writes, p.direct, p.within = 0, 0, 0, 0, 0
	return c
}

type counts struct{ slept, writes, direct, withDeadline int }
