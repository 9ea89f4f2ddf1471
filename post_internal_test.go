package ev

import (
	"context"
	"os"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatWasPostedIsGarbageOnceItHasRun(t *testing.T) {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	ran := 0
	post := func() weak.Pointer[[64]byte] {
		v := new([64]byte)
		assert.NoError(t, l.Post(func() { ran += len(v) / 64 }))
		return weak.Make(v)
	}
	posted := []weak.Pointer[[64]byte]{post(), post(), post()}
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 3, ran)
	runtime.GC()
	for _, p := range posted {
		assert.Nil(t, p.Value())
	}
}

func TestItemsAreGarbageOnceTheirBatchWasDelivered(t *testing.T) {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	delivered := 0
	q := NewQueue(l, 0, func(_ *Queue[*[64]byte], batch []*[64]byte) { delivered += len(batch) })
	q.Start()
	send := func() weak.Pointer[[64]byte] {
		v := new([64]byte)
		assert.NoError(t, q.Send(v))
		return weak.Make(v)
	}
	sent := []weak.Pointer[[64]byte]{send(), send(), send()}
	require.NoError(t, l.RunNoWait())
	assert.Equal(t, 3, delivered)
	runtime.GC()
	for _, p := range sent {
		assert.Nil(t, p.Value())
	}
	runtime.KeepAlive(q)
}

func TestPostsOfASteadyStreamShareTheirMemory(t *testing.T) {
	if os.Getenv("EV_DEBUG") == "1" {
		t.Skip("EV_DEBUG=1 allocates")
	}
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	fn := func() {}
	round := func() {
		for range 3 {
			_ = l.Post(fn)
		}
		_ = l.RunNoWait()
	}
	round()
	round()
	idle := testing.AllocsPerRun(100, func() { _ = l.RunNoWait() })
	assert.Equal(t, idle, testing.AllocsPerRun(100, round))
}

// A burst may have filled either of the two slices of an inbox.
func TestAnInboxLetsGoOfBothItsSlices(t *testing.T) {
	for after := range 4 {
		var b inbox[[64]byte]
		deliver := func(n int) {
			for range n {
				b.in = append(b.in, [64]byte{})
			}
			b.recycle(b.swap())
		}
		deliver(1 << 16)
		for range after {
			deliver(1)
		}
		for range 64 {
			b.shrink()
		}
		assert.Less(t, cap(b.in)+cap(b.spare), 1<<12, "and %d small batches", after)
	}
}

func TestTheGoroutineOfARunIsKnownInARunInsideItAndAfter(t *testing.T) {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	NewTimer(l, 0, 0, func(*Timer) {
		own := l.GoroutineID()
		assert.NotZero(t, own)
		NewTimer(l, 0, 0, func(*Timer) { assert.Equal(t, own, l.GoroutineID()) }).Start()
		assert.NoError(t, l.RunOnce(context.Background()))
		assert.Equal(t, own, l.GoroutineID())
		assert.NoError(t, l.RunNoWait())
		assert.Equal(t, own, l.GoroutineID())
	}).Start()
	require.NoError(t, l.Run(context.Background()))
	assert.Zero(t, l.GoroutineID())
}
