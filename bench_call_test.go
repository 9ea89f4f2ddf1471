package ev_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/goevlib/ev"
)

func caller(tb testing.TB) func(i int) int {
	l := newLoop(tb)
	start(tb, l)
	return func(i int) int {
		v, _ := ev.Call(context.Background(), l, func() (int, error) { return i, nil })
		return v
	}
}

// chanCaller is Call as programs without a loop write it.
func chanCaller(tb testing.TB) func(i int) int {
	funcs := make(chan func())
	go func() {
		for fn := range funcs {
			fn()
		}
	}()
	tb.Cleanup(func() { close(funcs) })
	return func(i int) int {
		answer := make(chan int, 1)
		funcs <- func() { answer <- i }
		return <-answer
	}
}

func BenchmarkCall(b *testing.B) {
	callers(b, func(b *testing.B, call func(i int) int) {
		for i := 0; b.Loop(); i++ {
			if call(i) != i {
				b.Fatal("another answer")
			}
		}
	})
}

func BenchmarkCallBy32(b *testing.B) {
	callers(b, func(b *testing.B, call func(i int) int) {
		b.SetParallelism(32 / runtime.GOMAXPROCS(0))
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if call(i) != i {
					b.Error("another answer")
				}
			}
		})
	})
}

func callers(b *testing.B, bench func(b *testing.B, call func(i int) int)) {
	for _, by := range []struct {
		name string
		make func(testing.TB) func(i int) int
	}{{"ev", caller}, {"chan", chanCaller}} {
		b.Run(by.name, func(b *testing.B) {
			call := by.make(b)
			b.ReportAllocs()
			bench(b, call)
		})
	}
}
