package ev_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// refusedSignals are those of 1 to 64 that never come.
var refusedSignals = map[syscall.Signal]string{
	syscall.SIGKILL: "signal killed cannot be caught",
	syscall.SIGSTOP: "signal stopped (signal) cannot be caught",
	syscall.SIGURG:  "signal urgent I/O condition belongs to the Go runtime, which preempts goroutines with it",
	syscall.SIGPROF: "signal profiling timer expired belongs to the Go runtime, which profiles with it",
	32:              "signal 32 belongs to the C library's threads, and is not delivered by the Go runtime",
	33:              "signal 33 belongs to the C library's threads, and is not delivered by the Go runtime",
	34:              "signal 34 belongs to the C library's threads, and is not delivered by the Go runtime",
}

const lastSignal = syscall.Signal(64)

func init() {
	helpers["signals"] = everySignal
	helpers["notify signal"] = notifySignal
}

// everySignal sends every signal that it can watch to itself, in two ways, and prints
// the result of each.
func everySignal() {
	l, err := ev.New()
	if err != nil {
		panic(err)
	}
	defer l.Close()
	for n := syscall.Signal(1); n <= lastSignal; n++ {
		s := ev.NewSignal(l, n, func(*ev.Signal) { l.Stop() })
		if err := s.Start(); err != nil {
			fmt.Printf("%d refused: %v\n", n, err)
			continue
		}
		for how, send := range map[string]func() error{
			"the process": func() error { return syscall.Kill(os.Getpid(), n) },
			"a thread":    func() error { return tgkill(n) },
		} {
			if err := send(); err != nil {
				panic(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			if err := l.Run(ctx); err != nil {
				fmt.Printf("%d lost, sent to %s: %v\n", n, how, err)
			}
			cancel()
		}
		s.Stop()
		fmt.Printf("%d delivered\n", n)
	}
}

func tgkill(n syscall.Signal) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_TGKILL, uintptr(os.Getpid()), uintptr(syscall.Gettid()), uintptr(n))
	if errno != 0 {
		return errno
	}
	return nil
}

func TestEverySignalThatCanBeWatchedIsDelivered(t *testing.T) {
	needsKernel(t, "it keeps two signals for itself")
	want := ""
	for n := syscall.Signal(1); n <= lastSignal; n++ {
		if why := refusedSignals[n]; why != "" {
			want += fmt.Sprintf("%d refused: ev: Signal.Start: %s\n", n, why)
		} else {
			want += fmt.Sprintf("%d delivered\n", n)
		}
	}
	cmd := thisProgram(t.Context())
	cmd.Env = append(os.Environ(), "EV_TEST_HELPER=signals")
	out, err := cmd.Output()
	require.NoError(t, err, "it stopped after:\n%s", out)
	assert.Equal(t, want, string(out))
}

// notifySignal asks os/signal for one signal and sends it to itself.
func notifySignal() {
	n, _ := strconv.Atoi(os.Getenv("EV_TEST_SIGNAL"))
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.Signal(n))
	_ = syscall.Kill(os.Getpid(), syscall.Signal(n))
	select {
	case <-ch:
		fmt.Println("delivered")
	case <-time.After(50 * time.Millisecond):
		fmt.Println("lost")
	}
}

// If a later release of Go delivers one of these, it need not be refused any more.
func TestTheSignalsThatAreRefusedAreThoseThatGoDoesNotDeliver(t *testing.T) {
	for n := range refusedSignals {
		if n == syscall.SIGSTOP || n == syscall.SIGURG { // SIGSTOP would stop the process; SIGURG also comes without being sent
			continue
		}
		cmd := thisProgram(t.Context())
		cmd.Env = append(os.Environ(), "EV_TEST_HELPER=notify signal", fmt.Sprint("EV_TEST_SIGNAL=", int(n)))
		out, err := cmd.Output()
		if err == nil {
			assert.Equal(t, "lost", strings.TrimSpace(string(out)), "signal %d", n)
		} // otherwise it was killed
	}
}

func TestARefusedSignalCannotBeFed(t *testing.T) {
	l := newLoop(t)
	for n := range refusedSignals {
		s := ev.NewSignal(l, n, func(*ev.Signal) { assert.Fail(t, "called") })
		require.Error(t, s.Start())
		assert.False(t, s.Active())
		ev.FeedSignal(n)
		l.FeedSignal(n)
	}
	nowait(t, l)
	assert.False(t, l.Alive())
}
