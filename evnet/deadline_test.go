package evnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

// assertTimeout checks an error of an operation whose deadline has passed.
func assertTimeout(t *testing.T, op string, err error) {
	t.Helper()
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var e net.Error
	if assert.ErrorAs(t, err, &e) {
		assert.True(t, e.Timeout())
	}
	var failed *net.OpError
	if assert.ErrorAs(t, err, &failed) {
		assert.Equal(t, op, failed.Op)
	}
}

// after calls fn on the loop, while tasks wait.
func after(l *ev.Loop, d time.Duration, fn func()) {
	ev.NewTimer(l, d, 0, func(*ev.Timer) { fn() }).Start()
}

func TestADeadlineIsChangedDuringTheWait(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		one := make([]byte, 1)
		spawn(t, l, func(*ev.Task) error {
			after(l, time.Millisecond, func() { assert.NoError(t, c.SetReadDeadline(time.Now())) })
			_, err := c.Read(one)
			assertTimeout(t, "read", err) // from none to a past one

			began := time.Now()
			assert.NoError(t, c.SetReadDeadline(began.Add(time.Hour)))
			after(l, time.Millisecond, func() { assert.NoError(t, c.SetReadDeadline(began.Add(5*time.Millisecond))) })
			_, err = c.Read(one)
			assertTimeout(t, "read", err) // shortened
			assert.GreaterOrEqual(t, time.Since(began), 5*time.Millisecond)

			// A deadline that goes away. Only the data can end this one.
			assert.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
			after(l, time.Millisecond, func() { assert.NoError(t, c.SetReadDeadline(time.Time{})) })
			time.AfterFunc(40*time.Millisecond, func() { _, _ = far.Write([]byte("x")) })
			n, err := c.Read(one)
			assert.Equal(t, 1, n)
			return err
		})
		run(t, l)
	})
}

func TestADeadlineEndsAlsoTheWaitForATurn(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, _ := pair(t, l, network)
		var order []int
		for i := range 3 {
			spawn(t, l, func(*ev.Task) error {
				_, err := c.Read(make([]byte, 1))
				assertTimeout(t, "read", err)
				order = append(order, i)
				return nil
			})
		}
		after(l, time.Millisecond, func() { assert.NoError(t, c.SetDeadline(time.Now().Add(time.Millisecond))) })
		run(t, l)
		assert.Len(t, order, 3)
	})
}

// The first read empties the stream, so the next one waits before it tries. The deadline passes
// meanwhile, and the data are there.
func TestAReadyConnectionComesBeforeTheDeadline(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c, far := pair(t, l, "tcp")
		spawn(t, l, func(*ev.Task) error {
			for range 3 {
				_, err := far.Write([]byte("x"))
				require.NoError(t, err)
				assert.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
				n, err := c.Read(make([]byte, 10))
				assert.Equal(t, 1, n)
				require.NoError(t, err)
			}
			return nil
		})
		run(t, l)
	})
}

func TestAPastDeadlineWinsOverData(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		if network == "pipe" {
			return // its Write would wait for the Read
		}
		c, far := pair(t, l, network)
		_, err := far.Write([]byte("x"))
		require.NoError(t, err)
		spawn(t, l, func(*ev.Task) error {
			assert.NoError(t, c.SetReadDeadline(time.Now()))
			_, err := c.Read(make([]byte, 1))
			assertTimeout(t, "read", err)
			assert.NoError(t, c.SetReadDeadline(time.Time{}))
			n, err := c.Read(make([]byte, 1))
			assert.Equal(t, 1, n, "it is kept")
			return err
		})
		run(t, l)
	})
}

func TestWithinEndsEveryOperation(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		spawn(t, l, func(task *ev.Task) error {
			within := func(op string, fn func() error) {
				t.Helper()
				err := task.Within(2*time.Millisecond, fn)
				assert.ErrorIs(t, err, context.DeadlineExceeded, op)
			}
			within("read", func() error { _, err := c.Read(make([]byte, 1)); return err })
			within("write", func() error { _, err := c.Write(make([]byte, 32<<20)); return err })
			_ = far.Close()
			_ = c.Close()
			ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer ln.Close()
			within("accept", func() error { _, err := ln.Accept(); return err })
			return nil
		})
		run(t, l)
	})
}

func TestAListenerHasADeadline(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		limit := ln.(interface{ SetDeadline(time.Time) error })
		spawn(t, l, func(task *ev.Task) error {
			assert.NoError(t, limit.SetDeadline(time.Now().Add(2*time.Millisecond)))
			_, err := ln.Accept()
			assertTimeout(t, "accept", err)
			assert.NoError(t, limit.SetDeadline(time.Time{}))
			dial := spawn(t, l, func(task *ev.Task) error {
				c, err := evnet.Dial(task, "tcp", ln.Addr().String())
				if err != nil {
					return err
				}
				return c.Close()
			})
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			return errors.Join(task.Join(dial), c.Close(), ln.Close())
		})
		run(t, l)
		assert.ErrorIs(t, limit.SetDeadline(time.Now()), net.ErrClosed)
		assert.ErrorIs(t, ln.Close(), net.ErrClosed)
	})
}

// A deadline leaves no trace: the same connection goes on.
func TestAfterADeadlineTheConnectionGoesOn(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		a, b := taskPair(t, l, network)
		spawn(t, l, func(*ev.Task) error { return echo(b) })
		spawn(t, l, func(*ev.Task) error {
			defer a.Close()
			for range 20 {
				assert.NoError(t, a.SetReadDeadline(time.Now().Add(time.Microsecond)))
				_, err := a.Read(make([]byte, 1))
				assertTimeout(t, "read", err)
				assert.NoError(t, a.SetDeadline(time.Now().Add(patience)))
				if _, err := a.Write([]byte("hello")); err != nil {
					return err
				}
				got := make([]byte, 5)
				if _, err := io.ReadFull(a, got); err != nil {
					return err
				}
				assert.Equal(t, "hello", string(got))
			}
			return nil
		})
		run(t, l)
	})
}
