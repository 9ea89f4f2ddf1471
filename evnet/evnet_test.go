package evnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

// serve accepts until the listener is closed, and runs handle as a task for each connection.
func serve(t testing.TB, l *ev.Loop, ln net.Listener, handle func(c net.Conn) error) *ev.Task {
	return spawn(t, l, func(*ev.Task) error {
		for {
			c, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if err != nil {
				return err
			}
			spawn(t, l, func(*ev.Task) error {
				defer c.Close()
				return handle(c)
			})
		}
	})
}

func echo(c net.Conn) error {
	_, err := io.Copy(c, c)
	return err
}

func TestManyTasksTalkToAnEchoServer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, network := range socketNetworks() {
			ln, err := evnet.Listen(l, network, address(t, network))
			require.NoError(t, err)
			serve(t, l, ln, echo)
			const clients = 50
			left := clients
			for range clients {
				spawn(t, l, func(task *ev.Task) error {
					defer func() {
						if left--; left == 0 {
							assert.NoError(t, ln.Close())
						}
					}()
					c, err := evnet.Dial(task, network, ln.Addr().String())
					if err != nil {
						return err
					}
					defer c.Close()
					for _, want := range []string{"a", "hello", strings.Repeat("x", 10_000)} {
						if _, err := io.WriteString(c, want); err != nil {
							return err
						}
						got := make([]byte, len(want))
						if _, err := io.ReadFull(c, got); err != nil {
							return err
						}
						assert.Equal(t, want, string(got))
					}
					return nil
				})
			}
			run(t, l)
			assert.Zero(t, left)
		}
	})
}

func TestAReadReturnsWhatThereIsAndThenEOF(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		done := make(chan error, 1)
		go func() {
			_, err := io.WriteString(far, "hello")
			done <- errors.Join(err, far.Close())
		}()
		spawn(t, l, func(*ev.Task) error {
			got, err := io.ReadAll(iotestReader{c})
			assert.Equal(t, "hello", string(got))
			n, again := c.Read(make([]byte, 10))
			assert.Zero(t, n)
			assert.Equal(t, io.EOF, again, "as net: not wrapped")
			return err
		})
		run(t, l)
		require.NoError(t, <-done)
	})
}

// iotestReader hides WriteTo, and reads in small parts.
type iotestReader struct{ r io.Reader }

func (r iotestReader) Read(p []byte) (int, error) { return r.r.Read(p[:min(len(p), 2)]) }

func TestAWriteWritesAllToASlowReader(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		const size = 4 << 20
		sent := make([]byte, size)
		for i := range sent {
			sent[i] = byte(i * 7 >> 3)
		}
		received := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(iotestSlow{far})
			received <- all
		}()
		spawn(t, l, func(*ev.Task) error {
			n, err := c.Write(sent)
			assert.Equal(t, size, n)
			return errors.Join(err, c.Close())
		})
		run(t, l)
		assert.Equal(t, sent, <-received)
	})
}

type iotestSlow struct{ r io.Reader }

func (r iotestSlow) Read(p []byte) (int, error) {
	time.Sleep(50 * time.Microsecond) // for the writer to fill the buffers
	return r.r.Read(p)
}

func TestCloseEndsWhatWaits(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		for name, wait := range map[string]func(c net.Conn) error{
			"read":  func(c net.Conn) error { _, err := c.Read(make([]byte, 1)); return err },
			"write": func(c net.Conn) error { _, err := c.Write(make([]byte, 64<<20)); return err },
		} {
			c, _ := pair(t, l, network)
			for range 2 { // the second waits for its turn
				spawn(t, l, func(*ev.Task) error {
					err := wait(c)
					assert.ErrorIs(t, err, net.ErrClosed)
					var failed *net.OpError
					assert.ErrorAs(t, err, &failed)
					assert.Equal(t, name, failed.Op)
					_, err = c.Read(make([]byte, 1))
					assert.ErrorIs(t, err, net.ErrClosed)
					return nil
				})
			}
			ev.NewTimer(l, time.Millisecond, 0, func(*ev.Timer) { assert.NoError(t, c.Close()) }).Start()
			run(t, l)
			assert.ErrorIs(t, c.Close(), net.ErrClosed)
			assert.ErrorIs(t, c.SetDeadline(time.Now()), net.ErrClosed)
		}
	})
}

func TestADeadlineEndsAReadAndAWrite(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, _ := pair(t, l, network)
		timedOut := func(op string, err error) {
			t.Helper()
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			var e net.Error
			if assert.ErrorAs(t, err, &e) {
				assert.True(t, e.Timeout())
			}
		}
		spawn(t, l, func(task *ev.Task) error {
			began := time.Now()
			assert.NoError(t, c.SetReadDeadline(began.Add(5*time.Millisecond)))
			_, err := c.Read(make([]byte, 1))
			timedOut("read", err)
			assert.GreaterOrEqual(t, time.Since(began), 5*time.Millisecond)
			_, err = c.Read(make([]byte, 1))
			timedOut("read", err)

			assert.NoError(t, c.SetWriteDeadline(time.Now().Add(5*time.Millisecond)))
			_, err = c.Write(make([]byte, 64<<20))
			timedOut("write", err)

			assert.NoError(t, c.SetDeadline(time.Unix(1, 0)))
			_, err = c.Read(make([]byte, 1))
			timedOut("read", err)
			return nil
		})
		run(t, l)
	})
}

func TestAStopEndsAReadAndNoDataAreLost(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		var first error
		reader := ev.Spawn(l, func(*ev.Task) error {
			_, first = c.Read(make([]byte, 10))
			return first
		})
		spawn(t, l, func(task *ev.Task) error {
			_ = task.Sleep(time.Millisecond)
			reader.Stop()
			assert.ErrorIs(t, first, context.Canceled)
			sent := make(chan error, 1)
			go func() { _, err := io.WriteString(far, "hello"); sent <- err }()
			got := make([]byte, 5)
			_, err := io.ReadFull(c, got)
			assert.Equal(t, "hello", string(got))
			return errors.Join(err, <-sent)
		})
		run(t, l)
	})
}

func TestOutsideATaskThereIsAClearPanic(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, _ := pair(t, l, network)
		assert.PanicsWithValue(t, "evnet: Conn.Read: called outside any task of the loop", func() { _, _ = c.Read(nil) })
		assert.PanicsWithValue(t, "evnet: Conn.Write: called outside any task of the loop", func() { _, _ = c.Write(nil) })
	})
}

func TestTwoTasksReadAndWriteOneConn(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		a, b := taskPair(t, l, network)
		const size = 1 << 20
		var wait sync.WaitGroup
		for _, c := range []net.Conn{a, b} {
			wait.Add(2)
			spawn(t, l, func(*ev.Task) error {
				defer wait.Done()
				n, err := c.Write(make([]byte, size))
				assert.Equal(t, size, n)
				return err
			})
			spawn(t, l, func(*ev.Task) error {
				defer wait.Done()
				_, err := io.ReadFull(c, make([]byte, size))
				return err
			})
		}
		run(t, l)
		wait.Wait()
	})
}

// A connection stays registered between the waits of a task that comes back before the next poll.
func TestASteadyExchangeChangesNoInterestAndAllocatesNothing(t *testing.T) {
	needsSockets(t)
	if os.Getenv("EV_DEBUG") == "1" {
		t.Skip("EV_DEBUG=1 allocates")
	}
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	near, far := taskPair(t, l, "tcp")
	ev.Spawn(l, func(*ev.Task) error { return echo(far) })
	var changes uint64
	var allocated float64
	spawn(t, l, func(*ev.Task) error {
		defer near.Close()
		if err := pingPong(near, 1000); err != nil { // Stats are published now and then
			return err
		}
		changes = l.Stats().InterestChanges
		allocated = testing.AllocsPerRun(1000, func() { assert.NoError(t, pingPongWith(near, buf64, 1)) })
		changes = l.Stats().InterestChanges - changes
		return nil
	})
	run(t, l)
	assert.Zero(t, changes)
	assert.Zero(t, allocated)
}

// The data come while the task does something else: the loop hears of them once, not in each
// iteration, and the next Read finds them.
func TestAConnectionThatNobodyReadsIsNoLoad(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		if l.Backend() == ev.BackendChan {
			t.Skip("no descriptors")
		}
		c, far := pair(t, l, "tcp")
		spawn(t, l, func(task *ev.Task) error {
			_, err := far.Write([]byte("a"))
			require.NoError(t, err)
			n, err := c.Read(make([]byte, 10))
			assert.Equal(t, 1, n)
			require.NoError(t, err)
			_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err = c.Read(make([]byte, 10)) // registers
			assertTimeout(t, "read", err)
			_ = c.SetReadDeadline(time.Time{})
			_, err = far.Write([]byte("b"))
			require.NoError(t, err)
			before := l.Iteration()
			for range 3 {
				require.NoError(t, task.Sleep(10*time.Millisecond))
			}
			assert.LessOrEqual(t, l.Iteration()-before, uint64(30), "not in each iteration")
			assert.Zero(t, countWatchers(l), "the connection's IO is the loop's own")
			n, err = c.Read(make([]byte, 10))
			assert.Equal(t, 1, n)
			return err
		})
		run(t, l)
	})
}

// countWatchers counts all but the tasks.
func countWatchers(l *ev.Loop) (n int) {
	for w := range l.Watchers() {
		if _, ok := w.(*ev.Task); !ok {
			n++
		}
	}
	return n
}
