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

// Verify.

// fullLoop makes a loop with three timers, an Async and one of each hook active. A
// high, a low and a cleared watcher and a posted function are pending.
func fullLoop(t *testing.T) *Loop {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	for i := range 3 {
		NewTimer(l, time.Duration(i)*time.Hour, 0, func(*Timer) {}).Start()
	}
	NewAsync(l, func(*Async) {}).Start()
	NewPeriodic(l, 0, time.Hour, func(*Periodic) {}).Start()
	NewIdle(l, func(*Idle) {}).Start()
	NewPrepare(l, func(*Prepare) {}).Start()
	NewCheck(l, func(*Check) {}).Start()
	NewCleanup(l, func(*Cleanup) {}).Start()
	for _, priority := range []int{1, -1, 0} {
		NewAsync(l, func(*Async) {}, Priority(priority)).Feed(Custom)
	}
	cleared := NewAsync(l, func(*Async) {}, Priority(1))
	cleared.Feed(Custom)
	cleared.Clear()
	l.pending.post(posted(func() {}))
	require.NoError(t, l.Verify())
	return l
}

// embedOf makes the Embed by which a host knows its embedded loop.
func embedOf(host *Loop, index int32) *Embed {
	return &Embed{watcher: watcher{index: index}, other: &Loop{hosted: hosted{host: host}}}
}

// firstAt returns the first watcher in the queue of a priority.
func firstAt(l *Loop, priority int) *watcher {
	q := &l.pending.queues[priority-MinPriority]
	return q.ring[q.head&q.mask()].w
}

func TestVerifyNamesTheInvariantThatIsBroken(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(l *Loop)
		want  string
	}{
		"an index": {func(l *Loop) { l.active[1].index = 7 },
			"ev: active watcher 1 has index 7, want 2"},
		"an inactive watcher among the active": {func(l *Loop) { l.active[3].index = 0 },
			"ev: active watcher 3 has index 0, want 4"},
		"a loop": {func(l *Loop) { l.active[3].loop = new(Loop) },
			"ev: active watcher 3 belongs to another loop"},
		"a periodic without a place in the heap": {func(l *Loop) { l.active[1].self.(*Periodic).pos = 0 },
			"ev: active periodic 1 is not in the heap"},
		"the loop of a timer": {func(l *Loop) { l.timers.heap[1].a.loop = new(Loop) },
			"ev: timer 1 belongs to another loop"},
		"the count of timers": {func(l *Loop) { l.inHeap++ },
			"ev: 4 active timers; counted 3"},

		"the count of references": {func(l *Loop) { l.refs++ },
			"ev: 9 references and 0 hidden watchers; counted 8 and 0"},
		"the count of hidden watchers": {func(l *Loop) { l.hidden++ },
			"ev: 8 references and 1 hidden watchers; counted 8 and 0"},

		"an Idle in the list of another priority": {func(l *Loop) { l.idle[0], l.idle[2] = l.idle[2], nil },
			"ev: an Idle of priority 0 is in the list of -2"},
		"an inactive hook": {func(l *Loop) { l.prepares[0].index = 0 },
			"ev: prepare: inactive, or listed twice"},
		"a hook listed twice": {func(l *Loop) { l.checks = append(l.checks, l.checks[0]) },
			"ev: check: inactive, or listed twice"},

		"the number of a request": {func(l *Loop) { l.active[0].self.(*Async).number = 9 },
			"has number 9, want "},
		"a request that is neither active nor linked": {func(l *Loop) { l.active[0].self.(*Async).w = new(watcher) },
			"is neither active nor linked"},
		"a number that is lost": {func(l *Loop) { l.requests.all = append(l.requests.all, nil) },
			"ev: of 3 requests 2 are in use and 0 free"},

		"an IO under another descriptor": {func(l *Loop) {
			l.files = files{table: []file{{first: &IO{watcher: watcher{index: 1}, fd: 7}}}, count: 1}
		}, "ev: descriptor 0 has an IO that is inactive or for 7"},
		"an inactive IO": {func(l *Loop) { l.files = files{table: []file{{first: &IO{}}}, count: 1} },
			"ev: descriptor 0 has an IO that is inactive or for 0"},
		"the count of IOs": {func(l *Loop) { l.files.count++ },
			"ev: 1 IOs, 0 changed and 0 always ready descriptors; counted 0, 0 and 0"},
		"the changed descriptors": {func(l *Loop) { l.files.table = []file{{changed: true}} },
			"ev: 0 IOs, 0 changed and 0 always ready descriptors; counted 0, 1 and 0"},
		"the list of descriptors that are always ready": {func(l *Loop) { l.files.always = []int{0} },
			"ev: 0 IOs, 0 changed and 1 always ready descriptors; counted 0, 0 and 0"},
		"a descriptor that is always ready": {func(l *Loop) { l.files.table = []file{{always: true}} },
			"ev: 0 IOs, 0 changed and 0 always ready descriptors; counted 0, 0 and 1"},

		"an inactive embedded": {func(l *Loop) { l.embedded = []*Embed{embedOf(l, 0)} },
			"ev: embedded loop 0: inconsistent host state"},
		"a embedded of another host": {func(l *Loop) { l.embedded = []*Embed{embedOf(nil, 1)} },
			"ev: embedded loop 0: inconsistent host state"},
		"a embedded that is out": {func(l *Loop) { l.embedded = []*Embed{embedOf(l, 1), embedOf(l, 2)}; l.embedded[1].delegated = true },
			"ev: embedded loop 1: inconsistent host state"},
		"a embedded with its sitter": {func(l *Loop) { l.embedded = []*Embed{embedOf(l, 1)}; l.embedded[0].proxied = true },
			"ev: embedded loop 0: inconsistent host state"},

		"a bit too many": {func(l *Loop) { l.pending.filled |= 1 << (2 - MinPriority) },
			"ev: priority 2: empty is true, which the bit mask denies"},
		"a bit too few": {func(l *Loop) { l.pending.filled &^= 1 << (-1 - MinPriority) },
			"ev: priority -1: empty is false, which the bit mask denies"},
		"a queued watcher that is not pending": {func(l *Loop) { firstAt(l, 1).pending = false },
			"ev: priority 1: the watcher in slot 0 is not pending there"},
		"a queued watcher that believes in another slot": {func(l *Loop) { firstAt(l, -1).slot++ },
			"ev: priority -1: the watcher in slot 0 is not pending there"},
		"a queued watcher of another priority": {func(l *Loop) { firstAt(l, 0).priority = 2 },
			"ev: priority 0: the watcher in slot 0 is not pending there"},
		"the count": {func(l *Loop) { l.pending.count++ },
			"ev: 5 pending, 1 of them posted; counted 4 and 1"},
		"the count of posts": {func(l *Loop) { l.pending.posts-- },
			"ev: 4 pending, 0 of them posted; counted 4 and 1"},

		"a place in the heap": {func(l *Loop) { l.timers.heap[1].a.pos = 9 },
			"ev: heap slot 1 holds an alarm with index 9, want 2"},
		"an inactive timer in the heap": {func(l *Loop) { l.timers.heap[2].a.index = 0 },
			"ev: heap slot 2 holds an inactive alarm"},
		"the order of due times": {func(l *Loop) { l.timers.heap[0].due = never },
			"ev: heap slot 1 is due before its parent"},
		"the order of starts": {func(l *Loop) {
			l.timers.heap[2].due = l.timers.heap[0].due
			l.timers.heap[2].a.order = 0
		}, "ev: heap slot 2 is due before its parent"},
	} {
		t.Run(name, func(t *testing.T) {
			l := fullLoop(t)
			tc.spoil(l)
			assert.ErrorContains(t, l.Verify(), tc.want)
		})
	}
}

func TestVerifyReportsEveryStructureThatIsBroken(t *testing.T) {
	l := fullLoop(t)
	l.active[3].loop = nil
	l.pending.count = 99
	l.timers.heap[0].due = never
	err := l.Verify()
	assert.ErrorContains(t, err, "belongs to another loop")
	assert.ErrorContains(t, err, "99 pending")
	assert.ErrorContains(t, err, "is due before its parent")
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
