package ev_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// openEventfds returns n descriptors that are not ready until something is written to
// them. An eventfd takes one number; pipes and socketpairs take two. The benchmark is
// skipped if the process may not open so many.
func openEventfds(b *testing.B, n int) []int {
	b.Helper()
	var limit unix.Rlimit
	require.NoError(b, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)) // package os has raised it to the hard limit
	if need := uint64(n) + 64; limit.Cur < need {
		b.Skipf("needs %d descriptors; RLIMIT_NOFILE is %d (hard limit %d)", need, limit.Cur, limit.Max)
	}
	fds := make([]int, 0, n)
	b.Cleanup(func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	})
	for range n {
		fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
		require.NoError(b, err)
		fds = append(fds, fd)
	}
	return fds
}

// onOneReady runs a benchmark with one ready descriptor among many. It is the same one
// each time, or each in turn: then 10 000 watchers do not fit in a cache.
func onOneReady(b *testing.B, bench func(b *testing.B, fds []int, next func(i int) int)) {
	for _, order := range []string{"same", "in-turn"} {
		for _, n := range []int{10, 1_000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d-watched", order, n), func(b *testing.B) {
				fds := openEventfds(b, n)
				next := func(int) int { return fds[n/2] }
				if order == "in-turn" {
					next = func(i int) int { return fds[i%n*7919%n] }
				}
				b.ReportAllocs()
				bench(b, fds, next)
			})
		}
	}
}

// A write, an iteration, a read in the callback.
func BenchmarkIODispatch(b *testing.B) {
	onOneReady(b, func(b *testing.B, fds []int, next func(int) int) {
		l := newLoop(b)
		calls := 0
		word := []byte{7: 1}
		read := func(w *ev.IO, _ ev.Events) {
			_, _ = unix.Read(w.FD(), word)
			calls++
		}
		for _, fd := range fds {
			startIO(b, l, fd, ev.Read, read)
		}
		nowait(b, l)
		runtime.GC()
		i := 0
		for b.Loop() {
			_, _ = unix.Write(next(i), word)
			_ = l.RunNoWait()
			i++
		}
		require.Equal(b, i, calls)
	})
}

// The system's share of BenchmarkIODispatch: a write, an epoll_wait, a read.
func BenchmarkIODispatchFloor(b *testing.B) {
	onOneReady(b, func(b *testing.B, fds []int, next func(int) int) {
		epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		require.NoError(b, err)
		defer unix.Close(epfd)
		for _, fd := range fds {
			e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
			require.NoError(b, unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &e))
		}
		word := []byte{7: 1}
		var events [64]unix.EpollEvent
		i := 0
		for b.Loop() {
			_, _ = unix.Write(next(i), word)
			_, _ = unix.EpollWait(epfd, events[:], 0)
			_, _ = unix.Read(int(events[0].Fd), word)
			i++
		}
	})
}

// The heap memory of a watcher, with its share of the loop's tables. The kernel's
// memory is not counted.
func BenchmarkIOMemory(b *testing.B) {
	const n = 10_000
	fds := openEventfds(b, n)
	var bytes uint64
	for b.Loop() {
		l := newLoop(b)
		fn := func(*ev.IO, ev.Events) {}
		before := heapAlloc()
		for _, fd := range fds {
			startIO(b, l, fd, ev.Read, fn)
		}
		nowait(b, l)
		bytes += heapAlloc() - before
		require.NoError(b, l.Close())
	}
	b.ReportMetric(float64(bytes)/float64(b.N)/n, "B/watcher")
}

func heapAlloc() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
