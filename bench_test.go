package ev_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"go.uber.org/atomic"

	"github.com/goevlib/ev"
)

// An atomic load is the least that a coalesced send can cost.
func BenchmarkAtomicLoad(b *testing.B) {
	var word atomic.Uint32
	word.Store(1)
	for b.Loop() {
		if word.Load() == 0 {
			b.Fatal("no")
		}
	}
}

func BenchmarkSendRequested(b *testing.B) {
	l := newLoop(b)
	a := ev.NewAsync(l, func(*ev.Async) {})
	a.Start()
	a.Send()
	b.ReportAllocs()
	for b.Loop() {
		a.Send()
	}
}

func BenchmarkSendRequestedBy16(b *testing.B) {
	l := newLoop(b)
	a := ev.NewAsync(l, func(*ev.Async) {})
	a.Start()
	a.Send()
	b.ReportAllocs()
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			a.Send()
		}
	})
}

func BenchmarkAtomicLoadBy16(b *testing.B) {
	var word atomic.Uint32
	word.Store(1)
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if word.Load() == 0 {
				b.Fatal("no")
			}
		}
	})
}

// Sends that find no request, while another goroutine is busy in the receiver's
// callback: 1024 Asyncs are sent once each. 1024 channels do the same. The figure is
// ns/send.
func BenchmarkSendFirst(b *testing.B) {
	const n = 1024
	b.Run("async", func(b *testing.B) {
		l := newLoop(b)
		held, release, drained := make(chan struct{}), make(chan struct{}), make(chan struct{})
		calls := 0
		asyncs := make([]*ev.Async, n)
		for i := range asyncs {
			asyncs[i] = ev.NewAsync(l, func(*ev.Async) {
				if calls++; calls%n == 0 {
					drained <- struct{}{}
				}
			})
			asyncs[i].Start()
		}
		start(b, l)
		sendAll(b, func() { _ = l.Post(func() { held <- struct{}{}; <-release }) }, held, release, drained, func() {
			for _, a := range asyncs {
				a.Send()
			}
		}, n)
	})
	b.Run("chan", func(b *testing.B) {
		held, release, drained := make(chan struct{}), make(chan struct{}), make(chan struct{})
		hold := make(chan struct{}, 1)
		chans := make([]chan struct{}, n)
		for i := range chans {
			chans[i] = make(chan struct{}, 1)
		}
		go func() {
			for range hold {
				held <- struct{}{}
				<-release
				for _, ch := range chans {
					<-ch
				}
				drained <- struct{}{}
			}
		}()
		sendAll(b, func() { hold <- struct{}{} }, held, release, drained, func() {
			for _, ch := range chans {
				select {
				case ch <- struct{}{}:
				default:
				}
			}
		}, n)
		close(hold)
	})
}

func sendAll(b *testing.B, hold func(), held, release, drained chan struct{}, send func(), n int) {
	var sending time.Duration
	for b.Loop() {
		hold()
		<-held
		began := time.Now()
		send()
		sending += time.Since(began)
		release <- struct{}{}
		<-drained
	}
	b.ReportMetric(float64(sending.Nanoseconds())/float64(b.N)/float64(n), "ns/send")
}

func BenchmarkSendParked(b *testing.B) {
	for _, mode := range []ev.Wakeup{ev.WakeAuto, ev.WakeWrite, ev.WakeDirect} {
		b.Run(mode.String(), func(b *testing.B) {
			l := newLoop(b, ev.WithWakeup(mode))
			answered := make(chan struct{}, 1)
			a := ev.NewAsync(l, func(*ev.Async) { answered <- struct{}{} })
			a.Start()
			start(b, l)
			b.ReportAllocs()
			for b.Loop() {
				a.Send()
				<-answered
			}
		})
	}
}

// benchIterations measures iterations of a loop. In each of them an Async sends itself.
func benchIterations(b *testing.B, l *ev.Loop) {
	n := 0
	a := ev.NewAsync(l, func(a *ev.Async) {
		if n++; n < b.N {
			a.Send()
		} else {
			l.Stop()
		}
	})
	a.Start()
	a.Send()
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	_ = l.Run(context.Background())
}

// An Async sends itself: one send, one collection, one callback, one iteration.
func BenchmarkIteration(b *testing.B) {
	for _, active := range []int{1, 1_000, 100_000} {
		b.Run(map[int]string{1: "1", 1_000: "1k", 100_000: "100k"}[active]+"-active", func(b *testing.B) {
			l := newLoop(b)
			for range active - 1 {
				ev.NewAsync(l, func(*ev.Async) {}).Start()
			}
			benchIterations(b, l)
		})
	}
}

func BenchmarkPingPong(b *testing.B) {
	for _, mode := range []ev.Wakeup{ev.WakeAuto, ev.WakeWrite, ev.WakeDirect} {
		b.Run(mode.String(), func(b *testing.B) {
			l, m := newLoop(b, ev.WithWakeup(mode)), newLoop(b, ev.WithWakeup(mode))
			rounds := 0
			var ping, pong *ev.Async
			ping = ev.NewAsync(l, func(*ev.Async) {
				if rounds++; rounds > b.N {
					l.Stop()
				} else {
					pong.Send()
				}
			})
			pong = ev.NewAsync(m, func(*ev.Async) { ping.Send() })
			ping.Start()
			pong.Start()
			start(b, m)
			b.ResetTimer()
			ping.Send()
			_ = l.Run(context.Background())
		})
	}
	b.Run("chan", func(b *testing.B) {
		there, back := make(chan struct{}), make(chan struct{})
		go func() {
			for range there {
				back <- struct{}{}
			}
		}()
		for b.Loop() {
			there <- struct{}{}
			<-back
		}
		close(there)
	})
}

func BenchmarkPost(b *testing.B) {
	l := newLoop(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = l.Post(func() {})
		_ = l.RunNoWait()
	}
}

func BenchmarkQueue(b *testing.B) {
	l := newLoop(b)
	q := ev.NewQueue(l, 0, func(*ev.Queue[int], []int) {})
	q.Start()
	start(b, l)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			_ = q.Send(i)
		}
	})
}

// The reset of a timeout that almost never fires, among 10 000 others.
func BenchmarkTimerReset(b *testing.B) {
	l := newLoop(b)
	timers := make([]*ev.Timer, 10_000)
	for i := range timers {
		timers[i] = ev.NewTimer(l, 0, time.Hour+time.Duration(i*7919%10_000), func(*ev.Timer) {})
		timers[i].Reset()
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		timers[i%len(timers)].Reset()
		i++
	}
}

// Repeating timers are all due in each iteration. The figure is one expiry and one
// callback.
func BenchmarkTimersExpire(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		b.Run(map[int]string{10: "10", 1_000: "1k", 100_000: "100k"}[n]+"-due", func(b *testing.B) {
			l := newLoop(b)
			for range n {
				ev.NewTimer(l, 0, 1, func(*ev.Timer) {}).Start()
			}
			b.ReportAllocs()
			rounds := 0
			for b.Loop() {
				_ = l.RunNoWait()
				rounds++
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rounds*n), "ns/timer")
		})
	}
}

// BenchmarkIteration with an observer.
func BenchmarkObserved(b *testing.B) {
	for _, observers := range []int{1, 3} {
		b.Run(map[int]string{1: "1", 3: "3"}[observers], func(b *testing.B) {
			l := newLoop(b)
			for range observers {
				defer l.Observe(&ev.Observer{Begin: func(ev.Callback, time.Time) {}, End: func(ev.Callback, time.Time) {}})()
			}
			benchIterations(b, l)
		})
	}
}
