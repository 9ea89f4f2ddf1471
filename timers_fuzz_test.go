package ev_test

import (
	"encoding/binary"
	"math"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// FuzzExtremeSpans gives a Timer and a Periodic spans of all lengths. Virtual time
// passes by centuries. The models compute with unlimited numbers.
func FuzzExtremeSpans(f *testing.F) {
	for _, seed := range spanSeeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) { replaySpans(t, data[:min(len(data), 2000)]) })
	})
}

// spanSeeds gives each span to each operation, with and without a repeat, and checks
// the result.
func spanSeeds() (seeds [][]byte) {
	for span := range byte(len(extremes)) {
		for op := range byte(spanOperations) {
			for _, repeat := range []byte{0, span} {
				seeds = append(seeds, []byte{
					2, span, repeat, 5, repeat, span, 0, 6, // set both, and start them
					9, 5, 8, op, span, span, 8, // an hour later, and
					1, 9, 5, 8, 0, 6, 8, 1, 9, span, 0, 6, 8, // stopped and started
					7, 5, 8, 3, 9, 6, 8, 4, repeat, 3, 8, // suspended and Reset
				})
			}
		}
	}
	return seeds
}

// extremes are the spans that a program chooses from. One more choice takes all 64 bits
// from the program.
var extremes = []time.Duration{
	0, 1, -1, time.Second, -time.Second, time.Hour, 365 * day, 100 * 365 * day, -100 * 365 * day,
	1<<62 - 1, 1 << 62, -1 << 62, math.MaxInt64 - 1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1,
}

// A bubble counts nanoseconds since the epoch in an int64, which overflows 262 years
// after the bubble's beginning.
const bubbleEnds = 260 * 365 * day

// spanModel is a Timer and a Periodic with their expected states.
type spanModel struct {
	t *testing.T
	tape
	l     *ev.Loop
	began time.Time
	now   time.Duration // as the loop has cached it, since began

	timer              *ev.Timer
	active             bool
	due, after, repeat time.Duration // due is since began
	calls, wantCalls   int

	periodic             *ev.Periodic
	pActive              bool
	pDue                 time.Duration // since the epoch
	offset, interval     time.Duration
	pCalls, wantPeriodic int
}

func replaySpans(t *testing.T, data []byte) {
	l, err := ev.New(ev.WithBackend(ev.BackendChan))
	require.NoError(t, err)
	defer l.Close()
	m := &spanModel{t: t, tape: tape{data}, l: l, began: time.Now()}
	m.timer = ev.NewTimer(l, 0, 0, func(*ev.Timer) { m.calls++ })
	m.periodic = ev.NewPeriodic(l, 0, 0, func(*ev.Periodic) { m.pCalls++ })
	for !m.ended() {
		m.step()
		m.check()
	}
}

func (m *spanModel) span() time.Duration {
	i := m.IntN(len(extremes) + 1)
	if i < len(extremes) {
		return extremes[i]
	}
	var bytes [8]byte
	m.data = m.data[copy(bytes[:], m.data):]
	return time.Duration(binary.LittleEndian.Uint64(bytes[:]))
}

const spanOperations = 12

func (m *spanModel) step() {
	switch m.IntN(spanOperations) {
	case 0:
		m.start()
	case 1:
		m.stop()
	case 2:
		m.set(m.span(), m.span())
	case 3:
		m.reset()
	case 4:
		m.setRepeat(m.span())
	case 5:
		m.setSlots(m.span(), m.span())
	case 6:
		m.startPeriodic()
	case 7:
		m.suspend()
	case 8:
		m.iterate()
	case 9:
		m.sleep()
	case 10:
		m.setIntervals(m.span())
	case 11:
		m.arm(m.span())
	}
}

func (m *spanModel) start() {
	m.timer.Start()
	if !m.active {
		m.active, m.due = true, sum(m.now, m.after)
	}
}

func (m *spanModel) stop() {
	m.timer.Stop()
	m.periodic.Stop()
	if m.active {
		m.active, m.after = false, difference(m.due, m.now)
	}
	m.pActive = false
}

func (m *spanModel) set(after, repeat time.Duration) {
	err := m.timer.Set(after, repeat)
	if m.active || repeat < 0 {
		require.Error(m.t, err)
		return
	}
	require.NoError(m.t, err)
	m.after, m.repeat = after, repeat
}

func (m *spanModel) reset() {
	m.timer.Reset()
	switch {
	case m.repeat > 0:
		m.active, m.due = true, sum(m.now, m.repeat)
	case m.active:
		m.active, m.after = false, difference(m.due, m.now)
	}
}

// arm counts from the present.
func (m *spanModel) arm(d time.Duration) {
	m.timer.Arm(d)
	m.active, m.due = true, sum(time.Since(m.began), d)
}

func (m *spanModel) setRepeat(d time.Duration) {
	if err := m.timer.SetRepeat(d); d < 0 {
		require.Error(m.t, err)
	} else {
		require.NoError(m.t, err)
		m.repeat = d
	}
}

func (m *spanModel) setSlots(offset, interval time.Duration) {
	if err := m.periodic.Set(offset, interval); m.pActive || interval < 0 || interval > 0 && (offset < 0 || offset > interval) {
		require.Error(m.t, err)
	} else {
		require.NoError(m.t, err)
		m.offset, m.interval = offset, interval
	}
}

func (m *spanModel) startPeriodic() {
	m.periodic.Start()
	if !m.pActive {
		m.pActive = true
		m.plan()
	}
}

// plan computes the first slot after now.
func (m *spanModel) plan() {
	if m.interval == 0 {
		m.pDue = m.offset
		return
	}
	interval := big.NewInt(int64(m.interval))
	n := new(big.Int).Sub(big.NewInt(int64(m.wall())), big.NewInt(int64(m.offset)))
	n.Div(n, interval).Add(n, big.NewInt(1)) // rounded down
	m.pDue = nearestSpan(n.Mul(n, interval).Add(n, big.NewInt(int64(m.offset))))
}

func (m *spanModel) wall() time.Duration { return time.Duration(m.began.UnixNano()) + m.now }

// suspend delays the Timer. The Periodic skips slots.
func (m *spanModel) suspend() {
	m.l.Suspend()
	m.now = time.Since(m.began)
	m.sleep()
	m.l.Resume()
	slept := time.Since(m.began) - m.now
	m.now += slept
	if m.active {
		m.due = sum(m.due, slept)
	}
	if m.pActive && m.interval > 0 {
		m.plan()
	}
}

// iterate calls each watcher that is due once, even if it is very late.
func (m *spanModel) iterate() {
	require.NoError(m.t, m.l.RunNoWait())
	m.now = time.Since(m.began)
	if m.active && m.due <= m.now {
		m.wantCalls++
		if m.repeat > 0 {
			m.due = max(sum(m.due, m.repeat), m.now+1)
		} else {
			m.active, m.after = false, difference(m.due, m.now)
		}
	}
	if m.pActive && m.pDue <= m.wall() {
		m.wantPeriodic++
		if m.interval > 0 {
			m.plan()
		} else {
			m.pActive = false
		}
	}
}

func (m *spanModel) sleep() {
	d := m.span()
	if elapsed := time.Since(m.began); d > bubbleEnds-elapsed {
		d = (bubbleEnds - elapsed) / 2
	}
	time.Sleep(d)
}

// setIntervals has no effect on an iteration that does not park.
func (m *spanModel) setIntervals(d time.Duration) {
	for _, set := range []func(time.Duration) error{m.l.SetIOInterval, m.l.SetTimeoutInterval} {
		if err := set(d); d < 0 {
			require.Error(m.t, err)
		} else {
			require.NoError(m.t, err)
		}
	}
}

func (m *spanModel) check() {
	require.NoError(m.t, m.l.Verify())
	require.Equal(m.t, m.now, m.l.Now().Sub(m.began))
	require.Equal(m.t, m.wantCalls, m.calls)
	require.Equal(m.t, m.active, m.timer.Active())
	require.Equal(m.t, m.repeat, m.timer.Repeat())
	want := m.after
	if m.active {
		want = difference(m.due, m.now)
	}
	require.Equal(m.t, want, m.timer.Remaining())
	require.Equal(m.t, m.wantPeriodic, m.pCalls)
	require.Equal(m.t, m.pActive, m.periodic.Active())
	if m.pActive {
		require.Equal(m.t, m.pDue, time.Duration(m.periodic.At().UnixNano()))
	}
}

func sum(x, y time.Duration) time.Duration {
	return nearestSpan(new(big.Int).Add(big.NewInt(int64(x)), big.NewInt(int64(y))))
}

func difference(x, y time.Duration) time.Duration {
	return nearestSpan(new(big.Int).Sub(big.NewInt(int64(x)), big.NewInt(int64(y))))
}

// nearestSpan is the span that is nearest to x.
func nearestSpan(x *big.Int) time.Duration {
	switch {
	case x.IsInt64():
		return time.Duration(x.Int64())
	case x.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}
