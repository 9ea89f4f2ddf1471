package ev_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

func TestAnEpollSetOfTheUsersCanBeWatched(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		require.NoError(t, err)
		defer unix.Close(epfd)
		a, b := socketpair(t)
		require.NoError(t, unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, a, &unix.EpollEvent{Events: unix.EPOLLIN}))
		calls := 0
		w := startIO(t, l, epfd, ev.Read, func(w *ev.IO, _ ev.Events) { calls++; w.Stop() })
		nowait(t, l)
		assert.Zero(t, calls)
		go func() { untilParked(t, l, 0); write(t, b, "x") }()
		run(t, l)
		assert.Equal(t, 1, calls)
		assert.False(t, w.Active())
	})
}

func TestAnInotifyDescriptorCanBeWatched(t *testing.T) {
	needsInotify(t)
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
		require.NoError(t, err)
		defer unix.Close(fd)
		dir := t.TempDir()
		_, err = unix.InotifyAddWatch(fd, dir, unix.IN_CREATE)
		require.NoError(t, err)
		startIO(t, l, fd, ev.Read, func(w *ev.IO, _ ev.Events) { w.Stop() })
		go func() {
			untilParked(t, l, 0)
			assert.NoError(t, os.WriteFile(filepath.Join(dir, "new"), nil, 0o600))
		}()
		run(t, l)
	})
}

func TestAPseudoTerminalCanBeWatched(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			t.Skip("no pseudo-terminals here: ", err)
		}
		defer unix.Close(master)
		require.NoError(t, unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0))
		n, err := unix.IoctlGetInt(master, unix.TIOCGPTN)
		require.NoError(t, err)
		slave, err := unix.Open(fmt.Sprintf("/dev/pts/%d", n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		var got string
		startIO(t, l, master, ev.Read, func(w *ev.IO, _ ev.Events) {
			if s := drainAny(master); s != "" {
				got += s
				return
			}
			w.Stop() // hung up: EIO
		})
		go func() {
			untilParked(t, l, 0)
			_, err := unix.Write(slave, []byte("login: "))
			assert.NoError(t, err)
			parks := l.Stats().Parks
			untilParked(t, l, parks-1)
			assert.NoError(t, unix.Close(slave))
		}()
		run(t, l)
		assert.Equal(t, "login: ", got)
	})
}

func drainAny(fd int) string {
	var buf [256]byte
	n, _ := unix.Read(fd, buf[:])
	return string(buf[:max(n, 0)])
}

func TestNewFailsWithEMFILEWhenDescriptorsAreExhausted(t *testing.T) {
	warm := newLoop(t) // the runtime's own poller exists
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = uint64(highestDescriptor(t)) + 4 // some to fill, should there be no gaps
	var fill []int
	defer func() {
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
		for _, fd := range fill {
			unix.Close(fd)
		}
	}()
	spare := devNull(t)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		fill = append(fill, fd)
	}
	_, err := ev.New()
	assert.ErrorIs(t, err, unix.EMFILE)
	assert.ErrorContains(t, err, "ev: New: eventfd: ")
	w := ev.NewIO(warm, spare, ev.Read, func(*ev.IO, ev.Events) {})
	assert.ErrorIs(t, w.Start(), unix.EMFILE)
	assert.False(t, w.Active())
	l, err := ev.New(ev.WithBackend(ev.BackendChan)) // needs none
	require.NoError(t, err)
	require.NoError(t, l.Close())

	unix.Close(fill[0])
	fill = fill[1:]
	l, err = ev.New()
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func highestDescriptor(t *testing.T) (highest int) {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, e := range entries {
		var n int
		fmt.Sscan(e.Name(), &n)
		highest = max(highest, n)
	}
	return highest
}

func TestEpollDescriptorsNestToTheKernelsLimit(t *testing.T) {
	onEveryFDLoop(t, func(t *testing.T, l *ev.Loop) {
		if l.Backend() != ev.BackendEpoll {
			t.Skip("the loop's set is none of them")
		}
		a, b := socketpair(t)
		write(t, b, "x")
		for depth, inner := 1, a; depth <= 4; depth++ {
			epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
			require.NoError(t, err)
			t.Cleanup(func() { unix.Close(epfd) })
			require.NoError(t, unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, inner, &unix.EpollEvent{Events: unix.EPOLLIN}))
			inner = epfd
			got := ev.None
			w := startIO(t, l, epfd, ev.Read, func(w *ev.IO, e ev.Events) { got = e; w.Stop() })
			run(t, l)
			if depth <= 3 {
				assert.Equal(t, ev.Read, got, depth)
			} else {
				assert.Equal(t, ev.Error|ev.Read|ev.Write, got, "ELOOP")
			}
			assert.False(t, w.Active())
		}
	})
}
