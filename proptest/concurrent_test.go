package proptest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

const (
	clients     = 4
	clientSteps = 25
	asyncs      = 2
	rounds      = 20               // for each backend and wake mode
	patience    = 30 * time.Second // after a lost wake-up a round would not end
)

// recorder is a loop, goroutines that call its methods that are safe for concurrent use,
// and a record of the calls.
type recorder struct {
	t      *testing.T
	l      *ev.Loop
	clock  atomic.Int64 // each value is one moment
	mu     sync.Mutex
	record history // guarded by mu
	ids    atomic.Int64
	ended  chan struct{} // when the owner of the loop is done
	rested int64         // the moment when nothing was left to collect

	// The rest is used on the loop's goroutine.
	last    int64  // when the last callback ended
	before  int64  // the last callback before the iteration in progress
	entered func() // notes that a Run has begun
	asyncs  [asyncs]*ev.Async
}

func (d *recorder) now() int64 { return d.clock.Add(1) }

// note records an operation that began at call and has ended.
func (d *recorder) note(client int, call int64, op operation) {
	end := d.now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.record = append(d.record, porcupine.Operation{ClientId: client, Input: op, Call: call, Return: end})
}

func TestConcurrentCallsAreLinearizable(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		for _, wakeup := range wakeups(backend) {
			t.Run(fmt.Sprintf("%v-%v", backend, wakeup), func(t *testing.T) {
				for round := range rounds {
					h := recordCalls(t, uint64(round), ev.WithBackend(backend), ev.WithWakeup(wakeup))
					for _, object := range objects() {
						requireLegal(t, h, object)
					}
				}
			})
		}
	}
}

func requireLegal(t *testing.T, h history, object string) {
	t.Helper()
	require.Equal(t, porcupine.Ok, h.check(object), "no order explains\n%v", h.of(object))
}

func objects() []string {
	all := []string{"runs", "posts"}
	for i := range asyncs {
		all = append(all, asyncName(i))
	}
	return all
}

func asyncName(i int) string { return fmt.Sprint("async", i) }

// recordCalls makes goroutines call all these methods concurrently. In odd rounds one
// of them closes the loop meanwhile.
func recordCalls(t *testing.T, round uint64, opts ...ev.LoopOption) history {
	d := &recorder{t: t, l: newLoop(t, opts...), ended: make(chan struct{}), entered: func() {}}
	d.l.Ref()
	d.setUp()
	go d.own()
	var all sync.WaitGroup
	for client := range clients {
		random := rand.New(rand.NewPCG(round, uint64(client)))
		all.Go(func() {
			for step := range clientSteps {
				if round%2 == 1 && client == 0 && step == clientSteps/2 {
					d.close(client)
				}
				d.step(client, random)
			}
		})
	}
	all.Wait()
	d.rest()
	d.close(clients)
	select {
	case <-d.ended:
	case <-time.After(patience):
		require.FailNow(t, "the loop did not come to its end")
	}
	return d.record
}

func (d *recorder) setUp() {
	d.l.Observe(&ev.Observer{Enter: func(time.Time) { d.entered() }})
	ev.NewCheck(d.l, func(*ev.Check) {
		d.before = d.last
		d.note(-1, d.last, operation{object: "runs", op: "iterate"})
		d.last = d.now()
	}, ev.Priority(ev.MaxPriority)).Start()
	for i := range d.asyncs {
		d.asyncs[i] = ev.NewAsync(d.l, func(*ev.Async) {
			d.note(-1, d.before, operation{object: asyncName(i), op: "called"})
			d.last = d.now()
		})
		d.asyncs[i].Start()
	}
}

// own runs the loop again and again until it is closed.
func (d *recorder) own() {
	defer close(d.ended)
	for d.run() == nil {
	}
}

// run enters a Run, perhaps a nested one, and records that. Between two Runs it does
// not use the loop: another goroutine may close it then.
func (d *recorder) run() error {
	call, entered := d.now(), false
	outer := d.entered
	d.entered = func() {
		entered = true
		d.note(-1, call, operation{object: "runs", op: "enter"})
		d.last = d.now()
	}
	err := d.l.Run(context.Background())
	d.entered = outer
	if entered {
		d.note(-1, d.last, operation{object: "runs", op: "leave", result: outcome(err)})
	} else {
		d.note(-1, call, operation{object: "runs", op: "refused"})
	}
	d.last = d.now()
	return err
}

// step is one operation of a client.
func (d *recorder) step(client int, random *rand.Rand) {
	i := random.IntN(asyncs)
	call := d.now()
	switch random.IntN(16) {
	case 0:
		d.l.Stop()
		d.note(client, call, operation{object: "runs", op: "Stop"})
	case 1:
		d.l.StopAll()
		d.note(client, call, operation{object: "runs", op: "StopAll"})
	case 2:
		d.post(client, func() { _ = d.run() })
	case 3:
		d.post(client, func() { d.restart(i) })
	case 4, 5:
		d.post(client, func() {})
	case 6, 7:
		d.call(client, random.IntN(4) == 0)
	case 8, 9, 10:
		sent := d.asyncs[i].Sent()
		d.note(client, call, operation{object: asyncName(i), op: "Sent", result: fmt.Sprint(sent)})
	default:
		d.asyncs[i].Send()
		d.note(client, call, operation{object: asyncName(i), op: "Send"})
	}
}

func (d *recorder) post(client int, fn func()) {
	id, call := int(d.ids.Add(1)), d.now()
	err := d.l.Post(func() {
		d.note(-1, d.last, operation{object: "posts", op: "run", id: id})
		fn()
		d.last = d.now()
	})
	d.note(client, call, operation{object: "posts", op: "Post", id: id, result: outcome(err)})
}

// call is a Call. In the queue it counts as a Post that ends when it runs, at the
// latest. A Call that gave up before it ran does not count.
func (d *recorder) call(client int, impatient bool) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if impatient {
		soon := time.AfterFunc(100*time.Microsecond, cancel)
		defer soon.Stop()
	}
	id, call := int(d.ids.Add(1)), d.now()
	var began atomic.Bool
	answer, err := ev.Call(ctx, d.l, func() (int, error) {
		began.Store(true)
		d.note(client, call, operation{object: "posts", op: "Post", id: id, result: "ok"})
		d.note(-1, d.last, operation{object: "posts", op: "run", id: id})
		d.last = d.now()
		return id, nil
	})
	switch {
	case err == nil:
		assert.True(d.t, began.Load())
		assert.Equal(d.t, id, answer)
	case errors.Is(err, ev.ErrClosed):
		assert.False(d.t, began.Load(), "ErrClosed says that the function did not begin")
		d.note(client, call, operation{object: "posts", op: "Post", id: id, result: "closed"})
	default:
		assert.True(d.t, impatient && errors.Is(err, context.Canceled), "%v", err)
	}
}

// restart stops and starts an Async, on the loop's goroutine. The request that
// Stop forgets was collected earlier in this iteration.
func (d *recorder) restart(i int) {
	d.asyncs[i].Stop()
	d.note(-1, d.before, operation{object: asyncName(i), op: "Stop"})
	call := d.now()
	if d.asyncs[i].Start(); d.asyncs[i].Active() { // the loop is not closed
		d.note(-1, call, operation{object: asyncName(i), op: "Start"})
	}
}

// close is recorded for each object. The active Run stops the Asyncs when it ends.
// Requests that its last iteration collected are dropped too.
func (d *recorder) close(client int) {
	call := d.now()
	assert.NoError(d.t, d.l.Close())
	d.note(client, call, operation{object: "runs", op: "Close"})
	d.note(client, call, operation{object: "posts", op: "Close"})
	<-d.ended
	for i := range d.asyncs {
		d.note(client, min(call, max(d.before, d.rested)), operation{object: asyncName(i), op: "Stop"})
	}
}

// rest waits for two iterations of the loop, unless it is closed: one collects, and
// after the other the collected requests were delivered.
func (d *recorder) rest() {
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err := ev.Call(ctx, d.l, func() (int, error) { d.last = d.now(); return 0, nil })
		cancel()
		if errors.Is(err, ev.ErrClosed) {
			return
		}
		require.NoError(d.t, err, "a wake-up was lost?")
	}
	for _, object := range objects()[1:] {
		d.note(clients, d.now(), operation{object: object, op: "rest"})
	}
	d.rested = d.now()
}
