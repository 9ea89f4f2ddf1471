package ev

import (
	"cmp"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAfterDoesNotWrap(t *testing.T) {
	for _, tc := range []struct{ t, d, want time.Duration }{
		{0, 0, 0}, {0, 5, 5}, {5, 0, 5}, {5, -7, -2}, {5, math.MinInt64, math.MinInt64 + 5},
		{0, never, never}, {1, never, never}, {never, 1, never}, {never, never, never}, {1, never - 1, never},
		{1, never - 2, never - 1}, {never, 0, never}, {never, -1, never - 1}, {time.Hour, 1 << 62, 1<<62 + time.Hour},
	} {
		assert.Equal(t, tc.want, after(tc.t, tc.d), "%d + %d", tc.t, tc.d)
	}
}

func TestAnEmptyHeapIsNeverDue(t *testing.T) {
	var h alarms
	assert.Equal(t, never, h.next())
	assert.NoError(t, h.verify())
}

// heapModel is a heap and a sorted slice of what must be in it.
type heapModel struct {
	t     testing.TB
	h     alarms
	armed []*expected // in the order in which they expire
	all   [40]expected
	now   time.Duration
}

type expected struct {
	alarm
	want time.Duration
}

// arm adds or moves. An append and a stable sort keep ties in the order of their starts.
func (m *heapModel) arm(e *expected, due time.Duration) {
	if e.armed() {
		m.forget(e)
		m.h.move(&e.alarm, due)
	} else {
		m.h.add(&e.alarm, due)
	}
	e.want = due
	m.armed = append(m.armed, e)
	m.sort()
}

func (m *heapModel) sort() {
	slices.SortStableFunc(m.armed, func(x, y *expected) int { return cmp.Compare(x.want, y.want) })
}

func (m *heapModel) forget(e *expected) {
	m.armed = slices.DeleteFunc(m.armed, func(o *expected) bool { return o == e })
}

func (m *heapModel) stop(e *expected) {
	if e.armed() {
		m.h.remove(&e.alarm)
		m.forget(e)
	}
}

// expire is an expiry by way of dueBy. Each second one is armed again, if they repeat.
func (m *heapModel) expire(repeat bool, atOnce bool) {
	n := 0
	for n < len(m.armed) && m.armed[n].want <= m.now {
		n++
	}
	want := slices.Clone(m.armed[:n])
	require.True(m.t, n == 0 || m.h.mayBeDue(m.now), "an alarm is due, and the top is not")
	take := m.h.dueBy
	if atOnce {
		take = m.h.takeDue
	}
	due := take(m.now)
	require.Len(m.t, due, n)
	if atOnce {
		for _, d := range due {
			require.True(m.t, d.a.armed())
			d.a.order = 0
		}
		m.armed = m.armed[n:]
		m.check()
	}
	for i, d := range due {
		require.Same(m.t, &want[i].alarm, d.a)
		require.Equal(m.t, want[i].want, d.due)
		m.stop(want[i])
		if repeat && i%2 == 0 {
			m.arm(want[i], m.now+d.due%7+1)
		}
		m.check()
	}
	m.h.recycle(due)
	m.h.settle(m.now)
	require.False(m.t, m.h.mayBeDue(m.now))
}

// check does not settle the heap: that would hide what is wrong in one that is not settled.
func (m *heapModel) check() {
	require.NoError(m.t, m.h.verify())
	seen := make(map[*alarm]bool)
	for a := range m.h.all {
		require.False(m.t, seen[a])
		seen[a] = true
	}
	require.Len(m.t, seen, len(m.armed))
	for i := range m.all {
		if e := &m.all[i]; e.armed() != seen[&e.alarm] || e.armed() && e.due != e.want {
			require.FailNow(m.t, "the heap disagrees", "alarm %d is due at %v, want %v", i, e.due, e.want)
		}
	}
	require.Equal(m.t, len(m.armed) == 0, m.h.last() == nil)
	require.Equal(m.t, len(m.armed) == 0, len(m.h.heap) == 0)
}

// park asks when the next alarm is due.
func (m *heapModel) park() {
	want := never
	if len(m.armed) > 0 {
		want = m.armed[0].want
	}
	require.Equal(m.t, want, m.h.next())
}

// replay applies the steps that data encodes, three bytes each, to the heap and to a sorted slice.
// After each step both must agree, and the heap must verify.
func replay(t testing.TB, data []byte) {
	m := &heapModel{t: t}
	for i := range m.all {
		m.all[i].index = 1 // active, for the heap
	}
	const most = 500 // steps; more show nothing new, and keep the fuzzer busy
	for data = data[:min(len(data), 3*most)]; len(data) >= 3; data = data[3:] {
		e, d := &m.all[int(data[1])%len(m.all)], time.Duration(data[2]%32) // small: many ties
		switch data[0] % 8 {
		case 0, 1: // start, or reset
			if data[2] == 255 {
				m.arm(e, never)
			} else {
				m.arm(e, m.now+d)
			}
		case 2:
			m.stop(e)
		case 3: // the due alarms expire; they are one-shots
			m.now += d
			m.expire(false, false)
		case 4: // the due alarms expire; some repeat
			m.now += d
			m.expire(true, false)
		case 5: // suspend and resume
			m.h.shift(d)
			for _, e := range m.armed {
				e.want = after(e.want, d)
			}
			m.sort() // some may be never due now
		case 6: // expire all that are due at once
			m.now += d
			m.expire(data[1]%2 == 0, true)
		case 7:
			m.park()
		}
		m.check()
	}
	for len(m.armed) > 0 {
		m.park()
		m.stop(m.armed[0])
		m.check()
	}
	m.park()
}

func TestTheHeapAgainstASortedSlice(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for range 200 {
		data := make([]byte, 3*300)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		replay(t, data)
	}
}

func TestAThousandAlarmsComeOutSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	var h alarms
	for range 1000 {
		h.add(&alarm{watcher: watcher{index: 1}}, time.Duration(r.IntN(300)))
	}
	require.NoError(t, h.verify())
	for last := time.Duration(0); len(h.heap) > 0; {
		due := h.next()
		require.GreaterOrEqual(t, due, last)
		h.remove(h.heap[0].a)
		last = due
	}
}

func TestTheHeapKeepsNoRemovedAlarmAlive(t *testing.T) {
	var h alarms
	all := make([]alarm, 9)
	for i := range all {
		h.add(&all[i], time.Duration(i))
	}
	slots := h.heap
	for i := range all {
		h.remove(&all[(4+i)%9])
		for _, s := range slots {
			assert.True(t, s.a == nil || s.a.armed())
		}
	}
	assert.Equal(t, make([]alarmSlot, 9), slots)
}

func TestTheHeapKeepsNoAlarmAliveThatWasRemovedAtOnce(t *testing.T) {
	for n := range 10 {
		var h alarms
		for i := range 9 {
			h.add(&alarm{}, time.Duration(i))
		}
		slots, now := h.heap, time.Duration(n-1)
		due := h.takeDue(now)
		assert.Len(t, due, n)
		assert.Equal(t, make([]alarmSlot, n), slots[9-n:])
		h.recycle(due)
		for _, d := range due {
			assert.Zero(t, d)
		}
	}
}

// A timeout that is reset does not change the heap until its first key is over.
func TestAMoveToLaterIsLeftToTheTop(t *testing.T) {
	var h alarms
	all := make([]alarm, 100)
	for i := range all {
		all[i].index = 1
		h.add(&all[i], time.Duration(100+i))
	}
	before := slices.Clone(h.heap)
	for i := range all {
		h.move(&all[(i*37)%100], time.Duration(1000-i))
	}
	assert.Equal(t, before, h.heap)
	assert.True(t, h.mayBeDue(100))
	assert.Empty(t, h.dueBy(900))
	assert.Equal(t, time.Duration(901), h.next())
	assert.False(t, h.mayBeDue(900))
	assert.NoError(t, h.verify())
}

// Of two that are due together, the one that was armed later expires later, even if its slot has
// the earlier key.
func TestTiesGoByTheLastMove(t *testing.T) {
	var h alarms
	first, second := &alarm{watcher: watcher{index: 1}}, &alarm{watcher: watcher{index: 1}}
	h.add(first, 1)
	h.add(second, 7)
	h.move(first, 7)
	due := h.dueBy(7)
	assert.Equal(t, []dueAlarm{{7, second}, {7, first}}, due)
}

// A start takes the slot that a stop has left, also if its key is too late.
func TestAStartFindsItsSlotAgain(t *testing.T) {
	for _, due := range []time.Duration{1, 51, 1000} {
		var h alarms
		all := make([]alarm, 100)
		for i := range all {
			all[i].index = 1
			h.add(&all[i], time.Duration(i))
		}
		h.remove(&all[50])
		assert.Len(t, h.heap, 100)
		h.add(&all[50], due)
		assert.Len(t, h.heap, 100)
		assert.Zero(t, h.vacant)
		assert.NoError(t, h.verify())
	}
}

// A stop must not take longer the more were stopped before, and at most half of the heap is vacant.
func TestVacantSlotsAreBounded(t *testing.T) {
	var h alarms
	all := make([]alarm, 1000)
	for i := range all {
		all[i].index = 1
		h.add(&all[i], time.Duration(i*7919%1000))
	}
	for i := range all {
		h.remove(&all[i*37%1000])
		require.NoError(t, h.verify())
		require.LessOrEqual(t, len(h.heap), 2*(999-i))
	}
}

func TestATimerFitsIntoItsSizeClass(t *testing.T) {
	assert.LessOrEqual(t, unsafe.Sizeof(Timer{}), uintptr(128))
}

// A dropped watcher can be collected as soon as it is stopped, however many others are active.
func TestAStoppedTimerIsNotKeptAlive(t *testing.T) {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	for i := range 100 {
		NewTimer(l, time.Hour+time.Duration(i), 0, func(*Timer) {}).Start()
	}
	w := NewTimer(l, time.Hour, 0, func(*Timer) {})
	gone := make(chan struct{})
	runtime.AddCleanup(w, func(int) { close(gone) }, 0)
	w.Start()
	w.Stop()
	runtime.GC()
	<-gone
	assert.Equal(t, 100, l.Active())
	assert.NoError(t, l.Verify())
}

// Timers are sorted instead of popped if many are due at once. The order must be the
// same.
func TestWhatIsDueExpiresInOrderHoweverMuchItIs(t *testing.T) {
	for _, n := range []int{fewDue - 1, fewDue, fewDue + 1, fewDue + 2, 1000, 5000} {
		for _, due := range []int{1, n / 9, n / 7, n / 2, n} {
			l, err := New(WithBackend(BackendChan))
			require.NoError(t, err)
			type call struct {
				due   time.Duration
				order int
			}
			var want, got []call
			for i := range n {
				c := call{-time.Duration(rand.IntN(n/4 + 1)), i}
				if i >= due {
					c.due = time.Hour + time.Duration(rand.IntN(n))
				} else {
					want = append(want, c)
				}
				repeat := time.Duration(0)
				if i%3 == 0 {
					repeat = time.Hour
				}
				NewTimer(l, c.due, repeat, func(*Timer) { got = append(got, c) }).Start()
			}
			slices.SortStableFunc(want, func(x, y call) int { return cmp.Compare(x.due, y.due) })
			require.NoError(t, l.RunNoWait())
			assert.Equal(t, want, got)
			assert.NoError(t, l.Verify())
			oneShots := 0
			for _, c := range want {
				if c.order%3 != 0 {
					oneShots++
				}
			}
			assert.Equal(t, n-oneShots, l.Active())
			require.NoError(t, l.RunNoWait())
			assert.Len(t, got, len(want), "once each")
			require.NoError(t, l.Close())
		}
	}
}

func TestShiftKeepsTheHeapInOrderWhenDueTimesSaturate(t *testing.T) {
	var h alarms
	a, b := &alarm{watcher: watcher{index: 1}}, &alarm{watcher: watcher{index: 1}}
	h.add(a, never)
	h.add(b, never-1)
	h.shift(5)
	assert.NoError(t, h.verify())
	assert.Equal(t, []dueAlarm{{never, a}, {never, b}}, h.dueBy(never), "they are equal now, and in the order of their starts")
}

func FuzzTimerHeap(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 5, 0, 2, 5, 0, 3, 4, 3, 0, 31})                                    // ties
	f.Add([]byte{0, 1, 9, 0, 2, 8, 0, 3, 7, 0, 4, 6, 0, 5, 5, 0, 1, 1, 2, 3, 0})          // move up, remove
	f.Add([]byte{0, 1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 4, 0, 5, 5, 0, 1, 31, 4, 0, 3})         // move down, repeat
	f.Add([]byte{0, 1, 1, 0, 2, 2, 5, 0, 9, 0, 3, 1, 2, 2, 0, 3, 0, 12})                  // shift
	f.Add([]byte{0, 1, 1, 0, 2, 255, 0, 3, 2, 0, 4, 2, 6, 2, 2, 6, 0, 31})                // all at once
	f.Add([]byte{0, 1, 1, 0, 2, 9, 0, 1, 9, 4, 0, 31})                                    // a tie, with an early key
	f.Add([]byte{0, 1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 4, 2, 2, 0, 0, 2, 1, 2, 2, 0, 7, 0, 0}) // a slot taken again
	f.Fuzz(func(t *testing.T, data []byte) { replay(t, data) })
}
