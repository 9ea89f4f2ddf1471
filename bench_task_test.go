package ev_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// BenchmarkTaskYield is one step and back, beside a hand-over and back between two
// goroutines and beside an iteration with one Async.
func BenchmarkTaskYield(b *testing.B) {
	l := newLoop(b)
	b.ReportAllocs()
	ev.Spawn(l, func(t *ev.Task) error {
		for range b.N {
			if err := t.Yield(); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(b, l.Run(context.Background()))
}

func BenchmarkTaskYieldBesideChannels(b *testing.B) {
	there, back := make(chan struct{}), make(chan struct{})
	go func() {
		for range there {
			back <- struct{}{}
		}
	}()
	b.ReportAllocs()
	for range b.N {
		there <- struct{}{}
		<-back
	}
	close(there)
}

func BenchmarkTaskYieldBesideAsync(b *testing.B) {
	l := newLoop(b)
	n := 0
	a := ev.NewAsync(l, func(a *ev.Async) {
		if n++; n > b.N {
			a.Stop()
			return
		}
		a.Send()
	})
	a.Start()
	a.Send()
	b.ReportAllocs()
	require.NoError(b, l.Run(context.Background()))
}

// BenchmarkTaskSpawn is a task that ends in its first step, beside a goroutine.
func BenchmarkTaskSpawn(b *testing.B) {
	l := newLoop(b)
	b.ReportAllocs()
	ev.Spawn(l, func(t *ev.Task) error {
		for range b.N {
			if err := t.Join(ev.Spawn(l, func(*ev.Task) error { return nil })); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(b, l.Run(context.Background()))
}

func BenchmarkTaskSpawnBesideGo(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		var wg sync.WaitGroup
		wg.Go(func() {})
		wg.Wait()
	}
}
