package ev

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// epollLoop makes a loop on epoll that is verified and closed when the test ends,
// and returns its poller.
func epollLoop(t *testing.T) (*Loop, *fdPoller) {
	t.Helper()
	l, err := New(WithBackend(BackendEpoll))
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, l.Verify())
		assert.NoError(t, l.Close())
	})
	return l, l.poller.(*fdPoller)
}

// Only a loop with a timerfd makes a long wait in two stages.
func TestALoopWithoutATimerfdParksOnceForALongWait(t *testing.T) {
	l, p := epollLoop(t)
	p.timer.failed = true
	NewTimer(l, 4*nearWait, 0, func(*Timer) {}).Start()
	require.NoError(t, l.SetTimeoutInterval(2*nearWait)) // it parks however late it is by then
	require.NoError(t, l.Run(context.Background()))
	assert.EqualValues(t, 1, l.Stats().Parks)
}

// A busy processor sees the deadline, an idle one the timerfd. The deadline must come
// first.
func TestTheTimerfdIsDueAfterTheDeadline(t *testing.T) {
	_, p := epollLoop(t)
	for i := range time.Duration(100) {
		until, lead := time.Since(p.base)+time.Hour+i, i*time.Second
		require.True(t, p.setTimer(until, lead))
		var left unix.ItimerSpec
		require.NoError(t, unix.TimerfdGettime(p.timer.fd, &left))
		due := time.Since(p.base) + time.Duration(left.Value.Nano()) // or a little later: the clock has gone on
		assert.GreaterOrEqual(t, due, until+lead)
	}
}

func TestTheLeadIsLongerAfterSeveralDeadlines(t *testing.T) {
	_, p := epollLoop(t)
	asleep := func() bool { return true }
	byDeadline := func() { now := time.Since(p.base); p.park(now, now, true, asleep) }
	byWork := func() {
		for asked := false; !asked; { // else the park was so slow that the deadline came before
			until := time.Since(p.base) + time.Millisecond
			p.park(until, until, true, func() bool {
				asked = true
				for time.Since(p.base) < until {
				}
				return false
			})
		}
	}
	early := func() {
		until := time.Since(p.base) + time.Hour
		p.park(until, until, true, func() bool { return false })
	}
	byWork()
	for range busyParks {
		early() // says nothing
		assert.Equal(t, idleLead, p.timer.lead())
		byDeadline()
	}
	early()
	assert.Equal(t, busyLead, p.timer.lead())
	byDeadline()
	assert.Equal(t, busyLead, p.timer.lead())
	byWork()
	assert.Equal(t, idleLead, p.timer.lead())
}

// A park does not set a deadline that its file has already. The test sets another one,
// which the poller does not know of: the park must end by that.
func TestAParkSetsADeadlineOnlyIfItIsAnotherOne(t *testing.T) {
	_, p := epollLoop(t)
	far := time.Since(p.base) + time.Hour
	asleep := func() bool { return true }
	refused := func() bool { return false }
	endsBy := func(until time.Duration) {
		t.Helper()
		require.NoError(t, p.wake.file.SetReadDeadline(longPast))
		ended := make(chan struct{})
		go func() { p.sleep(&p.wake, until, asleep); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			assert.Fail(t, "it was set anew")
			p.wakeByFD()
			<-ended
		}
	}
	for _, until := range []time.Duration{never, far, far + 1} {
		assert.False(t, p.sleep(&p.wake, until, refused)) // sets it
		endsBy(until)
	}

	p.sleep(&p.wake, never, refused)
	p.wakeWithin(time.Hour)
	p.sleep(&p.wake, never, refused) // sets it anew: another one was there
	endsBy(never)
}

// The runtime discards an edge from before the park. The loop itself must find that the
// timerfd is due.
func TestATimerfdThatIsDueBeforeTheParkEndsIt(t *testing.T) {
	_, p := epollLoop(t)
	until := time.Since(p.base) + time.Millisecond
	require.True(t, p.setTimer(until, 0))
	for time.Since(p.base) < until+2*time.Millisecond {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan struct{})
	go func() {
		p.sleep(p.pollFDFor(true, true), never, func() bool { return true })
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		assert.Fail(t, "it slept")
		p.wakeByFD()
		<-ended
	}
}

func TestALoopWithoutTimersHasNoDeadline(t *testing.T) {
	_, p := epollLoop(t)
	p.park(0, time.Hour, true, func() bool { return false })
	assert.NotEqual(t, never, p.wake.armed)
	p.park(0, never, true, func() bool { return false })
	assert.Equal(t, never, p.wake.armed)
	assert.Zero(t, p.timerSets())
}

// A wake may come after commit and before the loop looks at its set. The look takes the
// edge, and the runtime may not see it any more; on one processor it does not.
func TestAWakeThatTheLookFindsEndsThePark(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	_, p := epollLoop(t)
	require.NoError(t, p.openSet())
	for range 20 {
		ended := make(chan struct{})
		go func() {
			p.park(0, never, true, func() bool { p.wakeByFD(); return true })
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			require.Fail(t, "it slept")
		}
	}
}

// A look that finds as many descriptors as it has room for makes room and looks again, and
// makes the call in the other way then.
func TestALookFindsAllDescriptors(t *testing.T) {
	l, p := epollLoop(t)
	require.NoError(t, p.openSet())
	require.LessOrEqual(t, len(p.set.events), fewEvents)
	calls := map[int]int{}
	for range 2 * fewEvents {
		fd, err := unix.Eventfd(1, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		w := NewIO(l, fd, Read, func(w *IO, got Events) {
			assert.Equal(t, Read, got)
			calls[w.fd]++
		})
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
	}
	for n := range 3 {
		require.NoError(t, l.RunNoWait())
		require.Len(t, calls, 2*fewEvents)
		for fd := range calls {
			require.Equal(t, n+1, calls[fd])
		}
	}
	assert.Greater(t, len(p.set.events), fewEvents)
}
