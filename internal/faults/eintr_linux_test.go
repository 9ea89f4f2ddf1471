package faults

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// interruptions tell strace which calls to interrupt, in every thread: the first one,
// and then every second one. Of the runtime's own waits every second one would be each
// that sleeps, so every seventh is interrupted. C's loader does not retry: its first
// reads are left alone.
var interruptions = map[string]string{
	"epoll_pwait": "1+7", "?epoll_wait": "1+7", "read": "10+2", "write": "1+2", "waitid": "1+2",
	"inotify_add_watch": "1+2", "?poll": "1+2", "?ppoll": "1+2",
}

func TestCallsThatAreInterruptedAreMadeAgain(t *testing.T) {
	if os.Getenv(aloneName) == t.Name() {
		settle(t)
		wakeUps(t)
		underLoad(t, 300)
		childStatAndNotifier(t)
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil || raceEnabled {
		t.Skip("needs strace, and no race detector")
	}
	if out, err := exec.Command(strace, "-o", os.DevNull, "true").CombinedOutput(); err != nil {
		t.Skipf("strace cannot trace here: %v: %s", err, out)
	}
	trace := filepath.Join(t.TempDir(), "trace")
	via := []string{strace, "-f", "-o", trace, "-e", "trace=" + strings.Join(slices.Collect(maps.Keys(interruptions)), ",")}
	for call, when := range interruptions {
		via = append(via, "-e", "inject="+call+":error=EINTR:when="+when)
	}
	judge(t, inProcess(t, via))
	seen, err := os.ReadFile(trace)
	require.NoError(t, err)
	for _, call := range []string{"epoll_p?wait", "read", "write", "waitid", "inotify_add_watch", "p?poll"} {
		interrupted := regexp.MustCompile(call + `(\(| resumed).* EINTR .*\(INJECTED\)`)
		assert.True(t, interrupted.Match(seen), "no %s was interrupted", call)
	}
}

// wakeUps wakes the loop by sends alone.
func wakeUps(t *testing.T) {
	const rounds = 100
	l := newLoop(t, ev.WithWakeup(ev.WakeWrite))
	n, answers := 0, make(chan struct{}, 1)
	a := ev.NewAsync(l, func(*ev.Async) {
		n++
		answers <- struct{}{}
	})
	a.Start()
	go func() {
		for range rounds {
			for !l.Parked() {
				time.Sleep(time.Microsecond)
			}
			a.Send()
			<-answers
		}
		l.Stop()
	}()
	require.NoError(t, l.Run(context.Background()))
	assert.Equal(t, rounds, n)
	assert.Positive(t, l.Stats().FDWrites)
	a.Stop()
}

// childStatAndNotifier uses the kinds that make system calls of their own.
func childStatAndNotifier(t *testing.T) {
	l := newLoop(t)
	cmd := stopped(t)
	var status []syscall.WaitStatus
	c := ev.NewChild(l, cmd.Process.Pid, func(c *ev.Child) { status = append(status, c.Status()) })
	require.NoError(t, c.Start())
	require.NoError(t, cmd.Process.Kill())

	path, sizes := filepath.Join(t.TempDir(), "file"), []int64(nil)
	s := ev.NewStat(l, path, 0, func(s *ev.Stat) { sizes = append(sizes, s.Current().Size()) })
	require.NoError(t, s.Start())

	notified := 0
	a := ev.NewAsync(l, func(*ev.Async) { notified++ })
	a.Start()
	file, err := a.Notifier()
	require.NoError(t, err)
	defer file.Close()

	const rounds = 20 // enough to interrupt the look before some park
	for n := range rounds {
		require.NoError(t, os.WriteFile(path, fmt.Append(nil, n+1e6), 0o600))
		_, err := file.Write([]byte{1, 0, 0, 0, 0, 0, 0, 0})
		require.NoError(t, err)
		until(t, l, func() bool { return notified > n && len(sizes) > n })
		require.NoError(t, os.Truncate(path, int64(n)))
		until(t, l, func() bool { return s.Current().Size() == int64(n) })
		sizes = sizes[:n+1]
	}
	until(t, l, func() bool { return len(status) > 0 })
	assert.Equal(t, rounds, notified)
	assert.Len(t, status, 1)
	assert.Equal(t, syscall.SIGKILL, status[0].Signal())
	for _, w := range []ev.Watcher{c, s, a} {
		w.Stop()
	}
}
