package host_test

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/jshost/host"
)

// world is a host on a loop of its own, with its output.
type world struct {
	*host.Host
	loop        *ev.Loop
	out, errors bytes.Buffer
}

func newWorld(t *testing.T, opts ...ev.LoopOption) *world {
	loop, err := ev.New(opts...)
	require.NoError(t, err)
	w := &world{loop: loop}
	w.Host = host.New(loop, host.Config{Stdout: &w.out, Stderr: &w.errors})
	return w
}

func (w *world) close(t *testing.T) {
	assert.NoError(t, w.loop.Verify())
	assert.NoError(t, w.loop.Close())
}

// run runs a script until nothing keeps the loop.
func (w *world) run(src string) error {
	return w.Run(context.Background(), host.Script("main.js", src))
}

// number returns the value of an expression, after a Run.
func (w *world) number(t *testing.T, expression string) int64 {
	v, err := w.VM().RunString(expression)
	require.NoError(t, err)
	return v.ToInteger()
}

// inBubble gives the test a world whose clock jumps from one timer to the next.
// Times are exact there, and a goroutine that is left at the end is a failure.
func inBubble(t *testing.T, body func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, ev.WithBackend(ev.BackendChan))
		defer w.close(t)
		body(t, w)
	})
}

// onEveryBackend is for tests that do not depend on time.
func onEveryBackend(t *testing.T, body func(t *testing.T, w *world)) {
	for _, b := range ev.SupportedBackends() {
		t.Run(b.String(), func(t *testing.T) {
			w := newWorld(t, ev.WithBackend(b))
			defer w.close(t)
			body(t, w)
		})
	}
}
