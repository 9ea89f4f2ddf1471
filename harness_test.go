package ev_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/leak"
)

// patience bounds every wait in the tests. It is long enough for a loaded machine, and
// short enough to show a lost wake-up.
const patience = 20 * time.Second

// onEveryLoop runs the test on a new loop for each supported backend and wake mode. The
// loop is verified and closed after the test.
func onEveryLoop(t *testing.T, test func(t *testing.T, l *ev.Loop), opts ...ev.LoopOption) {
	t.Helper()
	onEveryMode(t, func(t *testing.T, l *ev.Loop, _ ev.Wakeup) { test(t, l) }, opts...)
}

// onEveryMode is onEveryLoop for a test that depends on the wake mode.
func onEveryMode(t *testing.T, test func(t *testing.T, l *ev.Loop, mode ev.Wakeup), opts ...ev.LoopOption) {
	t.Helper()
	for _, backend := range ev.SupportedBackends() {
		modes := []ev.Wakeup{ev.WakeAuto, ev.WakeWrite, ev.WakeDirect}
		if backend == ev.BackendChan || backend == ev.BackendAFD {
			modes = modes[:1] // they ignore the mode
		}
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%v-%v", backend, mode), func(t *testing.T) {
				test(t, newLoop(t, append(opts, ev.WithBackend(backend), ev.WithWakeup(mode))...), mode)
			})
		}
	}
}

// newLoop makes a loop that is verified and closed when the test ends.
func newLoop(t testing.TB, opts ...ev.LoopOption) *ev.Loop {
	t.Helper()
	l, err := ev.New(opts...)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, l.Verify())
		assert.NoError(t, l.Close())
	})
	return l
}

// run runs the loop to its end. The test fails if Run does not return in time.
func run(t testing.TB, l *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, l.Run(ctx), "the loop did not come to its end")
}

func nowait(t testing.TB, l *ev.Loop) {
	t.Helper()
	require.NoError(t, l.RunNoWait())
}

func once(t testing.TB, l *ev.Loop) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, l.RunOnce(ctx))
}

// start runs the loop on a goroutine of its own until the test ends.
func start(t testing.TB, l *ev.Loop) {
	t.Helper()
	keep := ev.NewAsync(l, func(*ev.Async) {})
	keep.Start()
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	t.Cleanup(func() {
		l.StopAll()
		receive(t, ended)
	})
	onLoop(t, l, func() {}) // in Run by now
}

// onLoop runs fn on the loop's goroutine and waits for it.
func onLoop(t testing.TB, l *ev.Loop, fn func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := ev.Call(ctx, l, func() (struct{}, error) { fn(); return struct{}{}, nil })
	require.NoError(t, err)
}

// skipWithDebug skips a test that counts allocations: EV_DEBUG=1 allocates.
func skipWithDebug(t testing.TB) {
	t.Helper()
	if os.Getenv("EV_DEBUG") == "1" {
		t.Skip("EV_DEBUG=1 allocates")
	}
}

// receive takes a value from ch. The test fails if none comes in time.
func receive[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("unreachable")
	}
}

// untilParked waits until the loop is parked and has parked more than before times. The
// next Send must wake it.
func untilParked(t testing.TB, l *ev.Loop, before uint64) {
	t.Helper()
	require.Eventually(t, func() bool { return l.Stats().Parks > before && l.Parked() }, patience, 50*time.Microsecond)
}

// parkFirst makes the loop park before its next timer. Without it, a loop that is
// delayed by a loaded machine finds the timer due and does not park.
func parkFirst(t testing.TB, l *ev.Loop) {
	t.Helper()
	require.NoError(t, l.SetTimeoutInterval(2*time.Millisecond))
}

// tape reads fuzzed data as a list of choices. After its end, every choice is 0.
type tape struct{ data []byte }

func (t *tape) ended() bool { return len(t.data) == 0 }

func (t *tape) IntN(n int) int {
	if t.ended() {
		return 0
	}
	v := int(t.data[0])
	t.data = t.data[1:]
	return v % n
}

// TestMain checks after all tests that no goroutine and no descriptor is left.
func TestMain(m *testing.M) {
	if helper := os.Getenv("EV_TEST_HELPER"); helper != "" {
		helpers[helper]()
		os.Exit(0)
	}
	warmUp()
	before := leak.Look()
	code := m.Run()
	if code == 0 {
		code = leak.Exit(before, patience)
	}
	os.Exit(code)
}

// helpers are programs that tests run in processes of their own. The program is the
// test binary; EV_TEST_HELPER names the helper.
var helpers = map[string]func(){}

// warmUp makes the runtime open the descriptors that it never closes.
func warmUp() {
	l, err := ev.New()
	if err != nil {
		panic(err)
	}
	s := ev.NewSignal(l, os.Interrupt, func(*ev.Signal) {})
	if err := s.Start(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		panic(err)
	}
	l.Close()
	// The Signal's goroutine ends by itself. It must not be counted, or the leak of
	// another goroutine would not show.
	for range 1000 {
		if runtime.NumGoroutine() <= 2 { // this one and os/signal's
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// connPair returns two connected TCP connections that are closed after the test.
func connPair(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	dialed, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return dialed.(*net.TCPConn), accepted.(*net.TCPConn)
}

// openDescriptors returns the number of open descriptors, or 0 if the system does not list them.
func openDescriptors() int { return leak.Look().Descriptors }

// journal has the notes of callbacks, in their order.
type journal []string

func (j *journal) note(s string) { *j = append(*j, s) }

// async makes an Async that notes its name.
func (j *journal) async(l *ev.Loop, name string, opts ...ev.Option) *ev.Async {
	return ev.NewAsync(l, func(a *ev.Async) { j.note(a.Name()) }, append(opts, ev.Name(name))...)
}

// due starts a timer that is due in the next iteration and notes its name.
func (j *journal) due(l *ev.Loop, name string, opts ...ev.Option) *ev.Timer {
	w := ev.NewTimer(l, 0, 0, func(w *ev.Timer) { j.note(w.Name()) }, append(opts, ev.Name(name))...)
	w.Start()
	return w
}

// dueNow starts a timer that calls fn in the next iteration.
func dueNow(l *ev.Loop, fn func(*ev.Timer), opts ...ev.Option) *ev.Timer {
	w := ev.NewTimer(l, 0, 0, fn, opts...)
	w.Start()
	return w
}

// farOff starts a timer that keeps Run going and does not fire.
func farOff(t testing.TB, l *ev.Loop) *ev.Timer {
	w := ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) { assert.Fail(t, "a timer of an hour fired") })
	w.Start()
	return w
}

// goRun runs the loop on a goroutine of its own. The channel gets the result of Run.
func goRun(l *ev.Loop) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.Background()) }()
	return ended
}

// panicOf returns the value that fn panics with, or nil.
func panicOf(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}
