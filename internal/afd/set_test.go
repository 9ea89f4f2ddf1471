package afd

import (
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// driver is a system without Windows. It completes requests as soon as their conditions hold.
type driver struct {
	t *testing.T

	mu       sync.Mutex
	sockets  map[int]*fakeSocket
	bases    map[uintptr]*fakeSocket
	started  []*request
	starts   int  // calls of start
	late     bool // the packets of requests that are cancelled come with settle
	ending   []*request
	held     chan struct{} // if not nil, packets that were waited for come when it is closed
	reuses   bool          // sockets with the same number have the same handle
	packets  []packet
	came     sync.Cond // packets
	capacity uint32
	closed   bool
}

type fakeSocket struct {
	base   uintptr
	holds  uint32 // conditions
	closed bool
}

func newDriver(t *testing.T) *driver {
	d := &driver{t: t, sockets: map[int]*fakeSocket{}, bases: map[uintptr]*fakeSocket{}}
	d.came.L = &d.mu
	return d
}

// open makes a socket, or another one with the number of a closed one.
func (d *driver) open(number int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &fakeSocket{base: uintptr(1000 + len(d.bases))}
	if d.reuses {
		s.base = uintptr(number)
	}
	d.sockets[number], d.bases[s.base] = s, s
}

// shut closes a socket.
func (d *driver) shut(number int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sockets[number]
	s.closed, s.holds = true, localClose
	d.complete()
	delete(d.sockets, number)
}

func (d *driver) set(number int, holds uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sockets[number].holds = holds
	d.complete()
}

// complete ends the requests whose conditions hold.
func (d *driver) complete() {
	d.started = slices.DeleteFunc(d.started, func(r *request) bool {
		got := d.bases[r.info.handle].holds & r.info.events
		if got == 0 {
			return false
		}
		r.block.status, r.info.handles, r.info.events = statusSuccess, 1, got
		d.post(r.number)
		return true
	})
}

func (d *driver) post(number uint32) {
	d.packets = append(d.packets, packet{number: uintptr(number)})
	d.came.Broadcast()
}

func (d *driver) base(number int) (uintptr, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.sockets[number]; s != nil {
		return s.base, nil
	}
	return 0, syscall.EBADF
}

func (d *driver) grow(number uint32) error {
	d.capacity = max(d.capacity, number)
	return nil
}

func (d *driver) start(r *request) (started bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.starts++
	assert.LessOrEqual(d.t, r.number, d.capacity)
	for _, other := range append(d.started, d.ending...) {
		assert.NotEqual(d.t, other.number, r.number)
		assert.NotEqual(d.t, other.info.handle, r.info.handle, "two requests for a socket")
	}
	s := d.bases[r.info.handle]
	switch got := s.holds & r.info.events; {
	case s.closed:
		r.block.status = statusInvalidHandle
	case got != 0:
		r.block.status, r.info.events = statusSuccess, got
	default:
		r.block.status = statusPending
		d.started = append(d.started, r)
		return true
	}
	return false
}

func (d *driver) cancel(r *request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.Index(d.started, r); i >= 0 {
		d.started = slices.Delete(d.started, i, i+1)
		r.block.status, r.info.handles = statusCancelled, 0
		d.ending = append(d.ending, r)
	}
	if !d.late {
		d.postEnding()
	}
}

func (d *driver) settle() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.postEnding()
}

func (d *driver) postEnding() {
	for _, r := range d.ending {
		d.post(r.number)
	}
	d.ending = nil
}

func (d *driver) take(done []packet, wait bool) int {
	d.mu.Lock()
	for wait && len(d.packets) == 0 {
		d.came.Wait()
	}
	n := copy(done, d.packets)
	d.packets = d.packets[n:]
	held := d.held
	d.mu.Unlock()
	if wait && held != nil {
		<-held
	}
	return n
}

// taken waits until the helper has all packets.
func (d *driver) taken() {
	require.Eventually(d.t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.packets) == 0
	}, 20*time.Second, time.Millisecond)
}

func (d *driver) interrupt() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.post(0)
	return nil
}

func (d *driver) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	assert.Empty(d.t, d.started, "requests in progress when the set was closed")
	for _, p := range d.packets {
		assert.Zero(d.t, p.number, "a packet of a request was not taken")
	}
	return nil
}

// open makes a set that is closed after the test. Calls of its wake put a token into woken.
func open(t *testing.T) (s *Set, d *driver, woken chan struct{}) {
	d, woken = newDriver(t), make(chan struct{}, 1)
	s = newSet(d, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	t.Cleanup(func() {
		d.settle()
		d.late = false
		assert.NoError(t, s.Close())
		assert.True(t, d.closed)
		free := map[*request]bool{}
		for _, r := range s.free {
			assert.False(t, free[r], "a request is free twice")
			free[r] = true
			assert.Nil(t, r.socket)
		}
	})
	return s, d, woken
}

// asking is open, with a socket that is not ready, and a request for it to be read.
func asking(t *testing.T) (s *Set, d *driver, woken chan struct{}) {
	s, d, woken = open(t)
	d.open(0)
	require.NoError(t, s.Watch(0, 1, Read))
	assert.False(t, s.Look())
	return s, d, woken
}

// modelSocket is what the set should know of a socket.
type modelSocket struct {
	open       bool
	holds      Events
	watched    Events
	generation uint32
}

func TestRandomProgramsAgreeWithAModel(t *testing.T) {
	s, d, _ := open(t)
	r := rand.New(rand.NewPCG(1, 2))
	sockets := make([]modelSocket, 20)
	bits := []uint32{0, receive, send, accept | send}
	for range 20_000 {
		number := r.IntN(len(sockets))
		m := &sockets[number]
		switch op := r.IntN(9); {
		case !m.open:
			d.open(number)
			*m = modelSocket{open: true, generation: m.generation}
		case op < 3:
			m.holds = Events(r.IntN(4))
			d.set(number, bits[m.holds]|r.Uint32N(2)*0x40) // 0x40 is asked for by nobody
		case op < 6:
			m.watched = Events(r.IntN(4))
			m.generation += r.Uint32N(2)
			require.NoError(t, s.Watch(number, m.generation, m.watched))
		case op < 7: // closed, and with some luck open again before the next look
			d.shut(number)
			*m = modelSocket{generation: m.generation}
			if r.IntN(2) == 0 {
				require.Error(t, s.Watch(number, m.generation, Read))
			}
		case op < 8:
			d.late = !d.late
		default:
			if r.IntN(2) == 0 {
				d.settle()
			}
			settled := len(d.ending) == 0
			s.Look()
			got := append([]Ready(nil), s.Ready()...)
			slices.SortFunc(got, func(a, b Ready) int { return a.Socket - b.Socket })
			var want []Ready
			for i, m := range sockets {
				if e := m.holds & m.watched; e != 0 {
					want = append(want, Ready{i, m.generation, e})
				}
			}
			if settled {
				require.Equal(t, want, got)
			} else {
				require.Subset(t, want, got)
			}
		}
	}
	assert.LessOrEqual(t, len(s.requests), len(sockets), "requests are used again")
}

// Each socket that becomes ready is found once, though nothing but a wake ends a wait.
func TestNoWakeIsLost(t *testing.T) {
	const sockets, rounds = 8, 20_000
	s, d, woken := open(t)
	for i := range sockets {
		d.open(i)
		require.NoError(t, s.Watch(i, 1, Read))
	}
	free := make(chan int, sockets) // sockets that may become ready
	for i := range sockets {
		free <- i
	}
	go func() {
		for range rounds {
			d.set(<-free, receive)
		}
	}()
	for found := 0; found < rounds; {
		if !s.Look() {
			s.AwaitWake()
			select {
			case <-woken:
			case <-time.After(20 * time.Second):
				require.FailNow(t, "lost wake-up", "%d found", found)
			}
			s.LookAfterWake()
		}
		ready := s.Ready()
		s.Drop()
		for _, r := range ready {
			found++
			d.set(r.Socket, 0)
			free <- r.Socket
		}
	}
}

func TestASocketThatIsClosedHasNoMoreEvents(t *testing.T) {
	s, d, _ := open(t)
	for i := range 3 {
		d.open(i)
		require.NoError(t, s.Watch(i, 1, Read|Write))
	}
	d.set(0, abort)
	assert.True(t, s.Look())
	assert.Equal(t, []Ready{{0, 1, Read | Write}}, s.Ready())
	d.shut(0) // between two requests
	d.shut(1) // in one
	assert.False(t, s.Look())
	assert.Len(t, s.sockets, 1)
	assert.ErrorIs(t, s.Watch(1, 2, Read), syscall.EBADF)
	d.open(1)
	require.NoError(t, s.Watch(1, 2, Read))
	d.set(1, receive)
	assert.True(t, s.Look())
	assert.Equal(t, []Ready{{1, 2, Read}}, s.Ready())
}

// The numbers of closed sockets are used again soon.
func TestARequestOfAClosedSocketIsNotMadeForTheNext(t *testing.T) {
	s, d, _ := open(t)
	d.reuses = true
	d.open(0)
	require.NoError(t, s.Watch(0, 1, Read))
	assert.False(t, s.Look())
	d.shut(0)
	d.open(0)
	d.set(0, receive)
	assert.False(t, s.Look())
	require.NoError(t, s.Watch(0, 2, Read))
	assert.True(t, s.Look())
	assert.Equal(t, []Ready{{0, 2, Read}}, s.Ready())
}

// A socket that is watched anew, because its number was used again, does not have the events of
// the request that was made for the old one.
func TestANewGenerationHasARequestOfItsOwn(t *testing.T) {
	for _, reuses := range []bool{false, true} {
		s, d, _ := open(t)
		d.reuses = reuses
		d.open(0)
		require.NoError(t, s.Watch(0, 1, Read))
		assert.False(t, s.Look())
		d.shut(0) // its packet comes
		d.open(0)
		d.set(0, receive)
		require.NoError(t, s.Watch(0, 2, Read)) // before it is taken
		assert.True(t, s.Look())
		assert.Equal(t, []Ready{{0, 2, Read}}, s.Ready())
	}
}

func TestAfterAWakeTheResultIsThereWithoutAnotherRequest(t *testing.T) {
	s, d, woken := asking(t)
	s.AwaitWake()
	d.set(0, receive)
	<-woken
	before := d.starts
	assert.True(t, s.LookAfterWake())
	assert.Equal(t, []Ready{{0, 1, Read}}, s.Ready())
	assert.Equal(t, before, d.starts)
	assert.True(t, s.Look(), "and again, by a new request")
}

// Where cancelling takes time, the next request for the socket waits for its end.
func TestTheNextRequestIsMadeWhenTheLastHasEnded(t *testing.T) {
	changes := map[string]func(s *Set) error{
		"other events":     func(s *Set) error { return s.Watch(0, 1, Read|Write) },
		"other generation": func(s *Set) error { return s.Watch(0, 2, Read|Write) },
		"watched anew": func(s *Set) error {
			if err := s.Watch(0, 1, 0); err != nil {
				return err
			}
			return s.Watch(0, 1, Read|Write)
		},
	}
	test := func(t *testing.T, change func(s *Set) error, end func(r *request)) {
		s, d, woken := asking(t)
		d.late = true
		d.set(0, send)
		require.NoError(t, change(s))
		assert.False(t, s.Look())
		assert.Equal(t, 1, d.starts)
		s.AwaitWake()
		end(d.ending[0])
		d.settle()
		<-woken
		assert.False(t, s.LookAfterWake())
		assert.True(t, s.Look())
		assert.Equal(t, Write, s.Ready()[0].Events)
		assert.Len(t, s.requests, 1)
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) { test(t, change, func(*request) {}) })
		t.Run(name+", which is too late", func(t *testing.T) {
			test(t, change, func(r *request) { r.block.status, r.info.handles, r.info.events = statusSuccess, 1, receive })
		})
	}
}

func TestASocketThatIsNotWatchedAnyMoreIsKeptUntilItsRequestHasEnded(t *testing.T) {
	s, d, _ := asking(t)
	d.late = true
	require.NoError(t, s.Watch(0, 1, 0))
	d.set(0, receive)
	assert.False(t, s.Look())
	assert.Len(t, s.sockets, 1)
	d.settle()
	assert.False(t, s.Look())
	assert.Empty(t, s.sockets)
	assert.Len(t, s.free, 1)
}

// A Send has ended an earlier park, and the helper has gone on with its wait. It takes a packet,
// but the loop has read the data before the next park.
func TestWhatTheHelperTookBeforeTheLastLookIsNotReported(t *testing.T) {
	for name, duringThePark := range map[string]bool{"before the park": false, "in the park": true} {
		t.Run(name, func(t *testing.T) { testOldPackets(t, duringThePark) })
	}
}

func testOldPackets(t *testing.T, duringThePark bool) {
	s, d, woken := asking(t)
	d.held = make(chan struct{})
	s.AwaitWake()
	d.set(0, receive)
	d.taken()
	d.set(0, 0)
	assert.False(t, s.Look())
	if duringThePark {
		s.AwaitWake()
		close(d.held)
		<-woken
	} else {
		close(d.held)
		<-woken
		s.AwaitWake()
	}
	assert.False(t, s.LookAfterWake())
	assert.False(t, s.Look())
	d.set(0, receive)
	assert.True(t, s.Look())
}

func TestAFailedRequestIsEveryEvent(t *testing.T) {
	var r request
	r.block.status = 0xC000009A // STATUS_INSUFFICIENT_RESOURCES
	assert.Equal(t, Read|Write, r.result())
	assert.False(t, r.gone())
}
