package ev

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/atomic"
)

// probe is a watcher without a kind and a loop. The pending queue needs no more.
type probe struct {
	watcher
	fn func(p *probe)
}

func (p *probe) call()         { p.fn(p) }
func (p *probe) onStop()       {}
func (p *probe) callback() any { return p.fn }

func newProbe(name string, priority int, fn func(p *probe)) *probe {
	p := &probe{fn: fn}
	p.self, p.name, p.priority = p, name, clamp(priority)
	return p
}

// notClosed is the closed word of a loop that is not closed.
func notClosed() *atomic.Uint32 { return atomic.NewUint32(0) }

// nearWrap is a position that wraps after a few entries.
const nearWrap = math.MaxUint32 - 2

func TestThePassRunsByPriorityThenInTheOrderOfMarks(t *testing.T) {
	priorities := map[string]int{"H": 2, "h": 1, "a": 0, "b": 0, "c": 0, "l": -1, "L": -2}
	for name, tc := range map[string]struct{ steps, want string }{
		"nothing":                               {"", ""},
		"one":                                   {"a", "a"},
		"first marked first":                    {"c a b", "c a b"},
		"higher priorities first":               {"L l a h H", "H h a l L"},
		"both":                                  {"L c H a l b h", "H h c a b l L"},
		"marked again keeps its place":          {"a b a", "a b"},
		"a cleared one is left out":             {"a b c -b", "a c"},
		"the first cleared":                     {"a b -a", "b"},
		"the only one of its priority cleared":  {"H a -H", "a"},
		"cleared and marked again goes last":    {"a b -a a", "b a"},
		"cleared twice":                         {"a -a -a b", "b"},
		"all cleared":                           {"a b H -b -H -a", ""},
		"cleared, with the same priority after": {"a -a a -a a", "a"},
		"marked first, alone":                   {"^a", "a"},
		"marked first, before its priority":     {"a b ^c", "c a b"},
		"marked first, after higher ones":       {"a h ^b H", "H h b a"},
		"two marked first":                      {"c ^a ^b", "b a c"},
		"marked first though pending already":   {"a b ^b", "b a"},
		"the first marked first":                {"a b ^a", "a b"},
		"marked first and again":                {"b ^a a", "a b"},
		"marked first and cleared":              {"b ^a -a", "b"},
		"marked first after a cleared one":      {"a b -a ^c", "c b"},
	} {
		for _, at := range []uint32{0, 7, nearWrap} {
			t.Run(fmt.Sprintf("%s from %d", name, at), func(t *testing.T) {
				var p pending
				for level := range p.queues {
					p.queues[level].head, p.queues[level].tail = at, at
				}
				got := []string{}
				probes := map[string]*probe{}
				for name, priority := range priorities {
					probes[name] = newProbe(name, priority, func(w *probe) { got = append(got, w.name) })
				}
				for _, step := range strings.Fields(tc.steps) {
					switch name := step[1:]; step[0] {
					case '-':
						p.clear(&probes[name].watcher)
					case '^':
						p.markFirst(&probes[name].watcher, Custom)
					default:
						p.mark(&probes[step].watcher, Custom)
					}
					require.NoError(t, p.verify())
				}
				assert.Equal(t, len(strings.Fields(tc.want)), p.count)
				p.pass(notClosed(), nil)
				assert.Equal(t, tc.want, strings.Join(got, " "))
				assert.Equal(t, len(got), int(p.calls))
				assert.Zero(t, p.count)
				assert.Zero(t, p.filled)
				assert.NoError(t, p.verify())
			})
		}
	}
}

func TestThePassLooksForTheHighestPriorityBeforeEachCall(t *testing.T) {
	var p pending
	var got []string
	note := func(w *probe) { got = append(got, w.name) }
	urgent, late := newProbe("urgent", 2, note), newProbe("late", -2, note)
	for i, then := range []*probe{urgent, late} {
		p.mark(&newProbe(fmt.Sprint(i), 0, func(w *probe) { note(w); p.mark(&then.watcher, Custom) }).watcher, Custom)
	}
	p.pass(notClosed(), nil)
	assert.Equal(t, []string{"0", "urgent", "1", "late"}, got)
}

func TestMarksAccumulateEventsAndClearReturnsThem(t *testing.T) {
	var p pending
	var got []Events
	w := newProbe("w", 0, func(w *probe) { got = append(got, w.Events()) })
	p.mark(&w.watcher, Read)
	p.mark(&w.watcher, Write)
	assert.Equal(t, 1, p.count)
	assert.Equal(t, Read|Write, p.clear(&w.watcher))
	assert.Equal(t, None, p.clear(&w.watcher))
	p.mark(&w.watcher, Custom)
	p.pass(notClosed(), nil)
	assert.Equal(t, []Events{Custom}, got)
	assert.Equal(t, None, w.Events(), "not in the callback")
}

func TestAWatcherMarkedFirstKeepsTheEventsItHad(t *testing.T) {
	var p pending
	w := newProbe("w", 0, nil)
	p.mark(&w.watcher, Read)
	p.markFirst(&w.watcher, Custom)
	assert.Equal(t, 1, p.count)
	assert.Equal(t, Read|Custom, p.clear(&w.watcher))
}

func TestAPriorityHasSomethingPendingUnlessAllIsCleared(t *testing.T) {
	for _, at := range []uint32{0, nearWrap} {
		var p pending
		const level = 0 - MinPriority
		p.queues[level].head, p.queues[level].tail = at, at
		assert.False(t, p.has(level))
		a, b := newProbe("a", 0, nil), newProbe("b", 0, nil)
		p.mark(&a.watcher, Custom)
		p.mark(&b.watcher, Custom)
		assert.True(t, p.has(level))
		assert.False(t, p.has(level+1))
		p.clear(&a.watcher)
		assert.True(t, p.has(level))
		assert.NoError(t, p.verify())
		p.clear(&b.watcher)
		assert.False(t, p.has(level))
		assert.NoError(t, p.verify())
		p.post(posted(func() {}))
		assert.True(t, p.has(level))
	}
}

func TestPostedFunctionsQueueWithTheWatchersOfPriorityZero(t *testing.T) {
	var p pending
	var got []string
	note := func(w *probe) { got = append(got, w.name) }
	p.mark(&newProbe("a", 0, note).watcher, Custom)
	p.post(posted(func() { got = append(got, "post") }))
	p.mark(&newProbe("b", 0, note).watcher, Custom)
	p.mark(&newProbe("high", 1, note).watcher, Custom)
	p.mark(&newProbe("low", -1, note).watcher, Custom)
	require.NoError(t, p.verify())
	assert.Equal(t, 1, p.posts)
	assert.Equal(t, 5, p.count)
	p.pass(notClosed(), nil)
	assert.Equal(t, []string{"high", "a", "post", "b", "low"}, got)
	assert.Zero(t, p.posts)
}

func TestThePassEndsWhenTheLoopIsClosed(t *testing.T) {
	var p pending
	closed := notClosed()
	p.post(posted(func() { closed.Store(1) }))
	p.post(posted(func() { assert.Fail(t, "called") }))
	p.pass(closed, nil)
	assert.Equal(t, 1, p.posts)
	p.drop()
	assert.Zero(t, p.count)
	assert.NoError(t, p.verify())
}

func TestDropForgetsEverythingWithoutACall(t *testing.T) {
	var p pending
	var probes []*probe
	for i := range 20 {
		probes = append(probes, newProbe("", i%levels+MinPriority, func(*probe) { assert.Fail(t, "called") }))
		p.mark(&probes[i].watcher, Custom)
		p.post(posted(func() { assert.Fail(t, "called") }))
	}
	p.clear(&probes[3].watcher)
	p.drop()
	for _, w := range probes {
		assert.False(t, w.Pending())
	}
	assert.Zero(t, p.count)
	assert.Zero(t, p.posts)
	assert.NoError(t, p.verify())
	p.pass(notClosed(), nil)
}

func TestAPanicInThePassLeavesTheRestPending(t *testing.T) {
	var p pending
	calls := 0
	p.post(posted(func() { panic("boom") }))
	p.post(posted(func() { calls++ }))
	assert.PanicsWithValue(t, "boom", func() { p.pass(notClosed(), nil) })
	assert.NoError(t, p.verify())
	assert.Equal(t, 1, p.count)
	p.pass(notClosed(), nil)
	assert.Equal(t, 1, calls)
}

func TestTheGuardMakesTheCalls(t *testing.T) {
	var p pending
	var guarded []entry
	guard := func(e entry) { guarded = append(guarded, e) }
	w := newProbe("w", 0, func(*probe) { assert.Fail(t, "called") })
	p.mark(&w.watcher, Custom)
	p.post(posted(func() { assert.Fail(t, "called") }))
	p.pass(notClosed(), guard)
	require.Len(t, guarded, 2)
	assert.Same(t, w, guarded[0].callback().Watcher)
	assert.Nil(t, guarded[1].callback().Watcher)
	assert.EqualValues(t, 2, p.calls)
}

// The ring.

// someEntry makes an entry with a name.
func someEntry(name string) entry { return entry{w: &newProbe(name, 0, nil).watcher} }

func nameOf(e entry) string {
	if e.w == nil {
		return ""
	}
	return e.w.name
}

func TestPositionsSurviveTheGrowthOfTheRing(t *testing.T) {
	for _, at := range []uint32{0, 1, 7, 8, 1<<31 - 2, nearWrap, math.MaxUint32} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			q := fifo{head: at, tail: at}
			var positions []uint32
			for i := range 100 { // the ring is grown at 8, 16, 32, 64
				positions = append(positions, q.push(someEntry(fmt.Sprint(i))))
			}
			assert.Len(t, q.ring, 128)
			for i, position := range positions {
				assert.Equal(t, at+uint32(i), position)
				if i%3 == 0 {
					q.erase(position)
				}
			}
			for i := range 100 {
				want := fmt.Sprint(i)
				if i%3 == 0 {
					want = ""
				}
				assert.Equal(t, want, nameOf(q.pop()))
			}
			assert.True(t, q.empty())
			for _, e := range q.ring {
				assert.Nil(t, e.w, "the ring keeps nothing alive")
			}
		})
	}
}

func TestTheRingAgainstASlice(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for range 20 {
		at := r.Uint32N(64) - 32 // the positions wrap on the way
		q, model := fifo{head: at, tail: at}, []string(nil)
		for i := range 500 {
			switch {
			case r.IntN(5) < 2:
				require.Equal(t, q.head+uint32(len(model)), q.push(someEntry(fmt.Sprint(i))))
				model = append(model, fmt.Sprint(i))
			case r.IntN(5) == 0:
				before := q.head - 1
				require.Equal(t, before, q.pushFront(someEntry(fmt.Sprint(i))))
				model = append([]string{fmt.Sprint(i)}, model...)
			case len(model) == 0:
			case r.IntN(2) == 0:
				require.Equal(t, model[0], nameOf(q.pop()))
				model = model[1:]
			default:
				k := r.IntN(len(model))
				q.erase(q.head + uint32(k))
				model[k] = ""
			}
			require.Equal(t, len(model) == 0, q.empty())
			require.Equal(t, uint32(len(model)), q.tail-q.head)
		}
		for _, want := range model {
			require.Equal(t, want, nameOf(q.pop()))
		}
	}
}

func TestTheRingGrowsAtItsHeadToo(t *testing.T) {
	for _, at := range []uint32{0, 5, nearWrap} {
		q := fifo{head: at, tail: at}
		for i := range 100 {
			assert.Equal(t, at-uint32(i)-1, q.pushFront(someEntry(fmt.Sprint(i))))
		}
		for i := range 100 {
			assert.Equal(t, fmt.Sprint(99-i), nameOf(q.pop()))
		}
		assert.True(t, q.empty())
	}
}

func TestAQueueThatIsDrainedAsItFillsDoesNotGrow(t *testing.T) {
	q := fifo{head: nearWrap, tail: nearWrap}
	for range 1000 {
		q.push(someEntry(""))
		q.push(someEntry(""))
		q.pop()
		q.pop()
	}
	assert.Len(t, q.ring, 8)
}

func TestThePendingQueueAgainstAList(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 100 {
		data := make([]byte, 1000)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		replayPending(t, data)
	}
}

func TestTheRingOfABurstIsLetGoOf(t *testing.T) {
	var p pending
	const burst = 1 << 14
	round := func(n int) {
		for range n {
			p.post(posted(func() {}))
		}
		p.pass(notClosed(), nil)
		p.shrink()
	}
	round(burst)
	assert.Len(t, p.queues[-MinPriority].ring, burst, "the burst may come again")
	round(burst / 4)
	assert.Len(t, p.queues[-MinPriority].ring, burst)
	round(1)
	assert.Empty(t, p.queues[-MinPriority].ring)
	round(burst)
	assert.NoError(t, p.verify())
}
