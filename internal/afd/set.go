package afd

import "sync"

// Events is a set of the conditions Read and Write, with package ev's numbers.
type Events uint32

// The conditions. An error is every condition asked for.
const (
	Read  Events = 1
	Write Events = 2
)

// Ready is a socket that was found ready.
type Ready struct {
	Socket     int
	Generation uint32
	Events     Events
}

// Set is a set of sockets. Its methods must be called by one goroutine at a time.
//
// A socket has one request, which is in progress, or is to be made before the next look because
// the last one has completed (note a). A request in progress that asks for the wrong thing is
// withdrawn, and the next one is made when its packet has come (note e). So is that of a socket
// that is not watched any more, and the set keeps the socket until then.
type Set struct {
	system   system
	sockets  map[int]*socket
	due      []*socket  // without a request in progress
	fresh    bool       // what the helper finds is newer than the last look
	requests []*request // by number, less one
	free     []*request
	started  int // requests in progress
	done     []packet
	ready    []Ready
	helper   helper
}

// socket is a socket that is watched.
type socket struct {
	number     int
	base       uintptr // note c
	generation uint32
	want       Events   // 0: it is not watched
	request    *request // nil once the set does not have the socket any more
	due        bool     // it is in Set.due
}

// request is a poll. It does not move in memory, and Set.requests refers to it, while the driver
// may write to it.
type request struct {
	number    uint32 // from 1
	socket    *socket
	started   bool   // and its packet was not taken
	withdrawn bool   // its result means nothing
	asked     Events // of the poll in progress
	block     statusBlock
	info      pollInfo
}

// statusBlock is an IO_STATUS_BLOCK.
type statusBlock struct {
	status uintptr
	_      uintptr
}

// pollInfo is an AFD_POLL_INFO with one handle.
type pollInfo struct {
	timeout int64
	handles uint32
	_       uint32 // whether it is exclusive
	handle  uintptr
	events  uint32
	_       uint32 // a status
	_       uint32 // in C, the size is a multiple of 8 on 386 too
}

// packet is an OVERLAPPED_ENTRY: the packet of a request that has completed.
type packet struct {
	_      uintptr // the key of the port
	number uintptr // of the request; 0 is an interrupt
	_      uintptr
	_      uint32
}

// system is what a Set needs of Windows. Tests have another.
type system interface {
	// base returns the handle that the driver knows of a socket.
	base(socket int) (uintptr, error)

	// grow makes room for requests up to this number.
	grow(number uint32) error

	// start makes the request that r.info describes. started means that a packet will come. Else
	// r has the result, and there is no packet. cancel asks for the packet to come soon.
	start(r *request) (started bool)
	cancel(r *request)

	// take takes packets. With wait, it waits for one. It returns 0 if it did not wait, or if
	// interrupt ended the wait. It is safe for concurrent use.
	take(done []packet, wait bool) int

	// interrupt ends one wait in take, now or later.
	interrupt() error
	close() error
}

func newSet(s system, wake func()) *Set {
	set := &Set{system: s, sockets: make(map[int]*socket), done: make([]packet, 64)}
	set.helper.start(s, wake)
	return set
}

// Watch watches a socket, or changes the events or the generation of one that is watched. No
// events end that. After an error the socket is not watched.
func (s *Set) Watch(number int, generation uint32, events Events) error {
	w := s.sockets[number]
	if events == 0 {
		s.forget(w)
		return nil
	}
	base, err := s.system.base(number)
	if err == nil && w == nil {
		w, err = s.add(number)
	}
	if err != nil {
		s.forget(w)
		return err
	}
	if r := w.request; r.started && (events&^r.asked != 0 || generation != w.generation || base != w.base) {
		s.withdraw(r)
	}
	w.base, w.generation, w.want = base, generation, events
	if !w.request.started {
		s.makeDue(w)
	}
	return nil
}

func (s *Set) add(number int) (*socket, error) {
	w := &socket{number: number}
	if n := len(s.free); n > 0 {
		w.request = s.free[n-1]
		s.free = s.free[:n-1]
	} else {
		w.request = &request{number: uint32(len(s.requests) + 1)}
		if err := s.system.grow(w.request.number); err != nil {
			return nil, err
		}
		s.requests = append(s.requests, w.request)
	}
	w.request.socket = w
	s.sockets[number] = w
	return w, nil
}

// withdraw makes the result of a request in progress mean nothing.
func (s *Set) withdraw(r *request) {
	r.withdrawn = true
	s.system.cancel(r)
}

// forget ends the watch of w, if there is one.
func (s *Set) forget(w *socket) {
	switch {
	case w == nil:
	case w.request.started:
		w.want = 0
		s.withdraw(w.request)
	default:
		s.drop(w)
	}
}

// drop takes a socket without a request in progress out of the set.
func (s *Set) drop(w *socket) {
	w.request.socket = nil
	s.free = append(s.free, w.request)
	w.request = nil
	delete(s.sockets, w.number)
}

func (s *Set) makeDue(w *socket) {
	if !w.due {
		w.due = true
		s.due = append(s.due, w)
	}
}

// Look finds the sockets that are ready, and makes the requests that are due. It reports whether
// any is ready. A packet can be older than a read by the loop, so it is no more than a reason to
// ask again.
func (s *Set) Look() bool {
	s.ready = s.ready[:0]
	s.complete(s.helper.collect(), false)
	for n := len(s.done); n == len(s.done); {
		n = s.system.take(s.done, false)
		s.complete(s.done[:n], false)
	}
	s.startDue()
	return len(s.ready) > 0
}

// startDue makes the requests that are due. A socket that is ready at once stays due.
func (s *Set) startDue() {
	kept := s.due[:0]
	for _, w := range s.due {
		if w.request != nil && !s.startRequest(w) && w.request != nil {
			kept = append(kept, w)
		} else {
			w.due = false
		}
	}
	clear(s.due[len(kept):])
	s.due = kept
}

func (s *Set) startRequest(w *socket) (started bool) {
	r := w.request
	r.asked = w.want
	r.info = pollInfo{timeout: forever, handles: 1, handle: w.base, events: conditions(w.want)}
	if r.started = s.system.start(r); r.started {
		s.started++
		return true
	}
	if r.gone() {
		s.drop(w)
	} else {
		s.report(w)
	}
	return false
}

// complete makes the sockets due whose packets have come. If the packets are new, it reports their
// results too.
func (s *Set) complete(done []packet, isNew bool) {
	for i := range done {
		if done[i].number == 0 {
			continue
		}
		r := s.requests[done[i].number-1]
		w, withdrawn := r.socket, r.withdrawn
		r.started, r.withdrawn = false, false
		s.started--
		switch {
		case w.want == 0, !withdrawn && r.gone():
			s.drop(w)
		default:
			if isNew && !withdrawn {
				s.report(w)
			}
			s.makeDue(w)
		}
	}
}

func (s *Set) report(w *socket) {
	if events := w.request.result() & w.want; events != 0 {
		s.ready = append(s.ready, Ready{w.number, w.generation, events})
	}
}

// AwaitWake has the helper call wake once, when a socket has become ready. It is called before
// a wait, after a Look that has found none. The packets that the helper finds are newer than that
// Look, unless it took them in a turn of an earlier wait.
func (s *Set) AwaitWake() { s.fresh = s.helper.arm() }

// LookAfterWake is Look after such a wait. It asks nothing: of packets that may not be new, the
// next Look asks again.
func (s *Set) LookAfterWake() bool {
	s.ready = s.ready[:0]
	s.complete(s.helper.collect(), s.fresh)
	return len(s.ready) > 0
}

// Ready returns the sockets that the last look has found. It is valid until the next one.
func (s *Set) Ready() []Ready { return s.ready }

// Drop drops the result of the last look.
func (s *Set) Drop() { s.ready = s.ready[:0] }

// Close ends the helper and the requests. It returns when the driver does not write to any
// request any more (note e).
func (s *Set) Close() error {
	err := s.helper.stop(s.system)
	for _, r := range s.requests {
		if r.started {
			s.forget(r.socket)
		}
	}
	s.complete(s.helper.collect(), false)
	for s.started > 0 {
		s.complete(s.done[:s.system.take(s.done, true)], false)
	}
	if e := s.system.close(); err == nil {
		err = e
	}
	return err
}

// helper waits for a packet while the loop is parked, so that the loop needs no thread to do so.
//
//	the helper                          the loop
//	1. wait for a turn                  a. look
//	2. wait for packets                 b. armed? no: armed := 1, give a turn
//	3. add them to found                c. sleep until woken
//	4. armed := 0                       d. take found
//	5. wake the loop
//
// A packet that comes after a is taken by the helper, because after b the helper is before 4:
// then it waits in 2, or will, or has taken packets already and comes to 5, which ends c. The
// loop finds them at d, or at the next a if the wake of an earlier turn ended c. A wake is not
// lost, as wake says: it ends a later sleep.
//
// While the loop does not sleep, the helper takes the packets of one wait at most.
type helper struct {
	turns chan struct{} // holds one
	ended chan struct{} // closed when the goroutine has returned

	mu     sync.Mutex
	armed  bool
	closed bool
	found  []packet
	taken  []packet // by the loop; the two change places
}

func (h *helper) start(s system, wake func()) {
	h.turns, h.ended = make(chan struct{}, 1), make(chan struct{})
	go h.run(s, wake)
}

func (h *helper) run(s system, wake func()) {
	defer close(h.ended)
	done := make([]packet, 64)
	for range h.turns {
		n := s.take(done, true)
		if h.hand(done[:n]) {
			return
		}
		wake()
	}
}

// hand is steps 3 and 4.
func (h *helper) hand(done []packet) (closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found = append(h.found, done...)
	h.armed = false
	return h.closed
}

// arm is step b. It reports whether all that the helper will have found is new: it gave a turn, and
// nothing is left of an earlier one.
func (h *helper) arm() (fresh bool) {
	h.mu.Lock()
	armed := h.armed
	fresh = !armed && len(h.found) == 0
	h.armed = true
	h.mu.Unlock()
	if !armed {
		h.turns <- struct{}{}
	}
	return fresh
}

// collect is step d.
func (h *helper) collect() []packet {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.found, h.taken = h.taken[:0], h.found
	return h.taken
}

// stop ends the goroutine, in its step 1 or 2.
func (h *helper) stop(s system) error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	err := s.interrupt()
	close(h.turns)
	<-h.ended
	return err
}
