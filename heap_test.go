package ev

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

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

// replay applies the steps that data encodes, three bytes each, to the heap and to a
// sorted slice. After each step both must agree, and the heap must verify.
func replay(t testing.TB, data []byte) {
	type expected struct {
		due time.Duration
		a   *alarm
	}
	var (
		h     alarms
		model []expected
		all   [40]alarm
		now   time.Duration
	)
	for i := range all {
		all[i].index = 1 // active, for the heap
	}
	// An append and a stable sort keep ties in the order of their starts.
	insert := func(a *alarm, due time.Duration) {
		model = append(model, expected{due, a})
		slices.SortStableFunc(model, func(x, y expected) int { return cmp.Compare(x.due, y.due) })
	}
	remove := func(a *alarm) {
		model = slices.DeleteFunc(model, func(e expected) bool { return e.a == a })
	}
	check := func() {
		require.NoError(t, h.verify())
		first := expected{never, nil}
		if len(model) > 0 {
			first = model[0]
		}
		got := expected{h.next(), nil}
		if len(h.heap) > 0 {
			got.a = h.heap[0].a
		}
		if got != first || len(h.heap) != len(model) {
			require.FailNow(t, "the heap disagrees", "%d with %+v first, want %d with %+v", len(h.heap), got, len(model), first)
		}
	}
	const most = 500 // steps; more show nothing new, and keep the fuzzer busy
	for data = data[:min(len(data), 3*most)]; len(data) >= 3; data = data[3:] {
		a, d := &all[int(data[1])%len(all)], time.Duration(data[2]%32) // small: many ties
		switch data[0] % 7 {
		case 0, 1: // start, or reset
			due := now + d
			if data[2] == 255 {
				due = never
			}
			if a.pos == 0 {
				h.add(a, due)
			} else {
				remove(a)
				h.move(a, due)
			}
			insert(a, due)
			if h.due(a) != due {
				require.FailNow(t, "another due time", "%v, want %v", h.due(a), due)
			}
		case 2: // stop
			if a.pos != 0 {
				h.remove(a)
				remove(a)
				if a.pos != 0 {
					require.FailNow(t, "a removed alarm has a place")
				}
			}
		case 3: // expire the alarms that are due, one-shots
			for now += d; h.next() <= now; {
				check()
				h.remove(h.heap[0].a)
				model = model[1:]
			}
		case 4: // expire the alarms that are due, repeating
			now += d
			for range len(model) {
				if e := h.heap[0]; e.due <= now {
					h.move(e.a, now+d+1)
					remove(e.a)
					insert(e.a, now+d+1)
				}
			}
		case 5: // suspend and resume
			h.shift(d)
			for i := range model {
				model[i].due = after(model[i].due, d)
			}
		case 6: // expire all that is due at once; some repeat
			now += d
			due := 0
			for due < len(model) && model[due].due <= now {
				due++
			}
			require.Equal(t, due >= len(model)/8, h.manyDue(now))
			want := model[:due:due]
			model = model[due:]
			taken := h.takeDue(now)
			require.Len(t, taken, due)
			for i, e := range taken {
				require.Equal(t, want[i], expected(e))
				e.a.pos = 0
				if data[1]>>(i%8)&1 != 0 {
					h.add(e.a, now+d+1)
					insert(e.a, now+d+1)
				}
			}
		}
		check()
	}
	for len(model) > 0 {
		check()
		h.remove(model[0].a)
		model = model[1:]
	}
	require.Empty(t, h.heap)
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
	var last alarmEntry
	for i := range 1000 {
		first := h.heap[0]
		require.True(t, i == 0 || last.before(first))
		last = first
		h.remove(first.a)
	}
}

func TestTheHeapKeepsNoRemovedAlarmAlive(t *testing.T) {
	var h alarms
	for i := range 9 {
		h.add(&alarm{}, time.Duration(i))
	}
	for len(h.heap) > 0 {
		h.remove(h.heap[0].a)
	}
	assert.Equal(t, make([]alarmEntry, 9), h.heap[:9])
}

func TestTheHeapKeepsNoAlarmAliveThatWasTakenDue(t *testing.T) {
	for due := range 10 {
		var h alarms
		for i := range 9 {
			h.add(&alarm{}, time.Duration(i))
		}
		entries := h.heap
		assert.Len(t, h.takeDue(time.Duration(due-1)), due)
		assert.Equal(t, make([]alarmEntry, due), entries[9-due:])
	}
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
}

func FuzzTimerHeap(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0, 1, 5, 0, 2, 5, 0, 3, 4, 3, 0, 31})                            // ties
	f.Add([]byte{0, 1, 9, 0, 2, 8, 0, 3, 7, 0, 4, 6, 0, 5, 5, 0, 1, 1, 2, 3, 0})  // move up, remove
	f.Add([]byte{0, 1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 4, 0, 5, 5, 0, 1, 31, 4, 0, 3}) // move down, repeat
	f.Add([]byte{0, 1, 1, 0, 2, 2, 5, 0, 9, 0, 3, 1, 2, 2, 0, 3, 0, 12})          // shift
	f.Add([]byte{0, 1, 1, 0, 2, 255, 0, 3, 2, 0, 4, 2, 6, 2, 2, 6, 0, 31})        // all at once
	f.Fuzz(func(t *testing.T, data []byte) { replay(t, data) })
}
