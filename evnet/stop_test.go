package evnet_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

func TestAStopInTheLineOfReadersPassesTheTurnOn(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		var got []string
		var readers []*ev.Task
		for _, name := range []string{"a", "b", "c", "d"} {
			readers = append(readers, ev.Spawn(l, func(*ev.Task) error {
				buf := make([]byte, 1)
				_, err := c.Read(buf)
				if err == nil {
					got = append(got, name+string(buf))
				}
				return err
			}))
		}
		spawn(t, l, func(task *ev.Task) error {
			_ = task.Yield()
			readers[2].Stop() // waits for its turn
			readers[0].Stop() // waits for data: the turn is b's
			readers[1].Stop() // has the turn, and does not know it yet
			for _, i := range []int{0, 1, 2} {
				assert.ErrorIs(t, readers[i].Err(), context.Canceled)
			}
			go func() { _, _ = far.Write([]byte("1")) }()
			return task.Join(readers[3])
		})
		run(t, l)
		assert.Equal(t, []string{"d1"}, got)
	})
}

func TestReadersAreServedInTheirOrder(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		var got []string
		const readers = 5
		for i := range readers {
			spawn(t, l, func(task *ev.Task) error {
				buf := make([]byte, 1)
				for range 3 {
					if _, err := c.Read(buf); err != nil {
						return err
					}
					got = append(got, string(rune('a'+i))+string(buf))
				}
				return nil
			})
		}
		after(l, time.Millisecond, func() { // all of them wait
			go func() { _, _ = io.WriteString(far, "0123456789ABCDE") }()
		})
		run(t, l)
		assert.Equal(t, []string{"a0", "b1", "c2", "d3", "e4", "a5", "b6", "c7", "d8", "e9", "aA", "bB", "cC", "dD", "eE"}, got)
	})
}

func TestWritesOfSeveralTasksDoNotMix(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		a, b := taskPair(t, l, network)
		const writers, size = 4, 300_000
		for i := range writers {
			spawn(t, l, func(*ev.Task) error {
				p := make([]byte, size)
				for at := range p {
					p[at] = byte(i)
				}
				_, err := a.Write(p)
				return err
			})
		}
		spawn(t, l, func(*ev.Task) error {
			p := make([]byte, writers*size)
			_, err := io.ReadFull(b, p)
			for i := range writers {
				for at := range size {
					if p[i*size+at] != byte(i) {
						assert.Fail(t, "mixed")
						return nil
					}
				}
			}
			return err
		})
		run(t, l)
	})
}

func TestAStopEndsAWriteAndTheConnectionStaysWhole(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		a, b := taskPair(t, l, network)
		const size = 16 << 20
		written := -1
		writer := ev.Spawn(l, func(*ev.Task) error {
			n, err := a.Write(make([]byte, size))
			written = n
			return err
		})
		spawn(t, l, func(task *ev.Task) error {
			_ = task.Sleep(2 * time.Millisecond)
			writer.Stop()
			assert.ErrorIs(t, writer.Err(), context.Canceled)
			assert.Less(t, written, size)
			spawn(t, l, func(*ev.Task) error {
				_, err := a.Write([]byte("!"))
				return errors.Join(err, a.Close())
			})
			all, err := io.ReadAll(b)
			require.NotEmpty(t, all)
			assert.Equal(t, byte('!'), all[len(all)-1])
			assert.GreaterOrEqual(t, len(all)-1, written)
			for _, zero := range all[:len(all)-1] {
				if zero != 0 {
					assert.Fail(t, "not the bytes of the first write")
					break
				}
			}
			return err
		})
		run(t, l)
	})
}

func TestAStopEndsAnAcceptAndNoConnectionIsLost(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		first := ev.Spawn(l, func(*ev.Task) error { _, err := ln.Accept(); return err })
		spawn(t, l, func(task *ev.Task) error {
			_ = task.Sleep(time.Millisecond)
			first.Stop()
			assert.ErrorIs(t, first.Err(), context.Canceled)
			far, err := evnet.Dial(task, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			assert.Equal(t, far.LocalAddr().String(), c.RemoteAddr().String())
			return errors.Join(far.Close(), c.Close(), ln.Close())
		})
		run(t, l)
	})
}

// The goroutine of an Accept whose task was stopped gets a connection that nobody takes.
func TestAConnectionThatNobodyTakesIsClosedWithTheListener(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		first := ev.Spawn(l, func(*ev.Task) error { _, err := ln.Accept(); return err })
		spawn(t, l, func(task *ev.Task) error {
			_ = task.Sleep(time.Millisecond)
			first.Stop()
			far, err := evnet.Dial(task, "tcp", ln.Addr().String())
			if err != nil {
				return err
			}
			defer far.Close()
			_ = task.Sleep(time.Millisecond)
			_ = ln.Close()
			_, err = far.Read(make([]byte, 1))
			assert.Error(t, err, "the peer's end is closed")
			return nil
		})
		run(t, l)
	})
}

func TestCloseOfTheListenerEndsAccept(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		for range 2 {
			spawn(t, l, func(*ev.Task) error {
				_, err := ln.Accept()
				assert.ErrorIs(t, err, net.ErrClosed)
				return nil
			})
		}
		after(l, time.Millisecond, func() { assert.NoError(t, ln.Close()) })
		run(t, l)
	})
}

func TestAClosedLoopEndsEveryOperation(t *testing.T) {
	for _, backend := range ev.SupportedBackends() {
		l, err := ev.New(ev.WithBackend(backend))
		require.NoError(t, err)
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		c, _ := pair(t, l, "tcp")
		ended := 0
		for _, wait := range []func() error{
			func() error { _, err := c.Read(make([]byte, 1)); return err },
			func() error { _, err := c.Read(make([]byte, 1)); return err },
			func() error { _, err := c.Write(make([]byte, 64<<20)); return err },
			func() error { _, err := ln.Accept(); return err },
		} {
			ev.Spawn(l, func(*ev.Task) error {
				err := wait()
				assert.ErrorIs(t, err, ev.ErrClosed)
				ended++
				return err
			})
		}
		after(l, time.Millisecond, func() { assert.NoError(t, l.Close()) })
		assert.ErrorIs(t, l.Run(context.Background()), ev.ErrClosed)
		assert.Equal(t, 4, ended)
		_, err = evnet.Wrap(l, c)
		assert.NoError(t, err, "it is wrapped already")
		near, _ := plainPair(t, "tcp")
		_, err = evnet.Wrap(l, near)
		assert.ErrorIs(t, err, ev.ErrClosed)
		_, err = evnet.Listen(l, "tcp", "127.0.0.1:0")
		assert.ErrorIs(t, err, ev.ErrClosed)
		assert.NoError(t, c.Close())
		assert.NoError(t, ln.Close())
	}
}

// A stop storm: readers and writers of one connection are stopped at random moments, and what
// was read is a prefix of what was sent, in order.
func TestNoByteIsLostOrSwappedInAStopStorm(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, far := pair(t, l, network)
		const size = 20_000
		go func() {
			p := make([]byte, size)
			for i := range p {
				p[i] = byte(i % 251)
			}
			for len(p) > 0 {
				n, err := far.Write(p[:min(len(p), 97)])
				if err != nil {
					return
				}
				p = p[n:]
			}
			_ = far.Close()
		}()
		var got []byte
		over := false
		read := func(*ev.Task) error {
			for {
				buf := make([]byte, 1+len(got)%40)
				n, err := c.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					over = over || err == io.EOF
					return err
				}
			}
		}
		spawn(t, l, func(task *ev.Task) error {
			for i := 0; !over; i++ {
				a, b := ev.Spawn(l, read), ev.Spawn(l, read)
				for range i % 4 {
					if err := task.Yield(); err != nil {
						return err
					}
				}
				a.Stop()
				if i%3 == 0 {
					_ = task.Yield()
				}
				b.Stop()
			}
			return nil
		})
		run(t, l)
		require.Len(t, got, size)
		for i, b := range got {
			if b != byte(i%251) {
				require.Fail(t, "swapped", "at %d", i)
			}
		}
	})
}
