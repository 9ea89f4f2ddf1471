package ev

import (
	"math/bits"
	"runtime"
	"time"

	"go.uber.org/atomic"
)

// This file notes when, and from where, requests are made, while somebody records it: evflight
// draws arrows from a Send to its callback. A sender that finds nobody recording makes one load
// more, of a word beside the one that it changes next. A Send that finds a request outstanding
// makes none: it is no request.
//
// A note is found by the number of its request. The sender that has set linked writes it before it
// pushes the request. The loop reads it after it has taken the request out of the list, and before
// it clears linked. So each has it alone: the push and the take are ordered by requests.head, and
// the clearing of linked and the next setting by request.state.

// sends has the notes of the outstanding requests.
type sends struct {
	loop      *Loop
	recorders int // guarded by Loop.mu

	// Chunk k has the notes of 64<<k numbers. The loop adds chunks, and never moves a note.
	chunks [26]atomic.Pointer[[]sendNote]

	taken map[*watcher]sent // the loop's: of requests that were collected; nil is for the mailbox
}

type sendNote struct {
	at  atomic.Int64 // since Loop.base, plus 1; 0 is none. Atomic: activate clears it beside a sender
	pcs sendStack
}

// sendStack has the callers of a Send, this package's own included.
type sendStack [8]uintptr

// sent is a request that has been collected.
type sent struct {
	at  time.Duration // since Loop.base
	pcs sendStack
}

// recordSends is look.Sends.
func (l *Loop) recordSends() (stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.requests.sends.Load()
	if s == nil {
		s = &sends{loop: l, taken: make(map[*watcher]sent)}
		s.addChunk(0)
		l.requests.sends.Store(s)
	}
	s.recorders++
	stopped := false
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if stopped {
			return
		}
		stopped = true
		if s.recorders--; s.recorders == 0 {
			l.requests.sends.Store(nil)
		}
	}
}

func (s *sends) addChunk(k int) {
	notes := make([]sendNote, 64<<k)
	s.chunks[k].Store(&notes)
}

// of returns the note of a request, or nil if the loop has not made it yet.
func (s *sends) of(number uint32) *sendNote {
	n := number + 63
	k := bits.Len32(n) - 7
	chunk := s.chunks[k].Load()
	if chunk == nil {
		return nil
	}
	return &(*chunk)[n-64<<k]
}

// note is called by the sender.
func (s *sends) note(r *request) {
	n := s.of(r.number())
	if n == nil {
		return
	}
	clear(n.pcs[runtime.Callers(3, n.pcs[:]):])
	n.at.Store(int64(time.Since(s.loop.base)) + 1)
}

// prepare makes the chunks for so many requests, before they are collected. If nothing is pending,
// the callbacks of those collected before have been made, or never will be.
func (s *sends) prepare(requests int) {
	if s.loop.pending.count == 0 {
		clear(s.taken)
	}
	for k := 0; 64<<k-63 <= requests; k++ {
		if s.chunks[k].Load() == nil {
			s.addChunk(k)
		}
	}
}

// take is called when r was taken out of the list, and is still linked.
func (s *sends) take(r *request) {
	n := s.of(r.number())
	if n == nil {
		return
	}
	at := n.at.Swap(0)
	if at != 0 && r.state.Load()&(active|requested) == active|requested {
		s.taken[r.w] = sent{time.Duration(at - 1), n.pcs}
	}
}

// sentFor is look.Sent.
func (l *Loop) sentFor(w Watcher) (at time.Time, pcs sendStack, ok bool) {
	s := l.requests.sends.Load()
	if s == nil || len(s.taken) == 0 {
		return time.Time{}, sendStack{}, false
	}
	var key *watcher
	if w != nil {
		key = w.base()
	}
	found, ok := s.taken[key]
	return l.base.Add(found.at), found.pcs, ok
}

// begun forgets the Send of a callback that observers have been told of.
func (q *requests) begun(w *watcher) {
	if s := q.sends.Load(); s != nil {
		delete(s.taken, w)
	}
}

// forget is called by Start: earlier Sends have no callback.
func (s *sends) forget(r *request) {
	if n := s.of(r.number()); n != nil {
		n.at.Store(0)
	}
}
