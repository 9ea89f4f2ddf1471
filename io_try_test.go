package ev_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// onEveryIOLoop is onEveryLoop for the backends that watch descriptors.
func onEveryIOLoop(t *testing.T, test func(t *testing.T, l *ev.Loop)) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		if l.Backend() == ev.BackendChan {
			t.Skip("no descriptors")
		}
		test(t, l)
	})
}

// A read deadline that has passed makes package net fail, and a missing one makes it wait.
func TestTryReadDoesNotWaitWhateverTheDeadline(t *testing.T) {
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		for name, deadline := range map[string]time.Time{
			"none": {}, "passed": time.Unix(1, 0), "far": time.Now().Add(time.Hour),
		} {
			ours, peer := connPair(t)
			require.NoError(t, ours.SetReadDeadline(deadline))
			var got []byte
			var end error
			buf := make([]byte, 4)
			w := ev.NewConnIO(l, ours, ev.Read, func(w *ev.IO, _ ev.Events) {
				n, err := w.TryRead(buf)
				got = append(got, buf[:n]...)
				if err != nil && err != ev.ErrWouldBlock {
					end = err
					w.Stop()
				}
			})
			n, err := w.TryRead(buf)
			assert.Zero(t, n, name)
			assert.Equal(t, ev.ErrWouldBlock, err, name)
			require.NoError(t, w.Start())
			_, err = peer.Write([]byte("hello world"))
			require.NoError(t, err)
			require.NoError(t, peer.CloseWrite())
			run(t, l)
			assert.Equal(t, "hello world", string(got), name)
			assert.Equal(t, io.EOF, end, name)
		}
	})
}

func TestTryWriteWritesAsMuchAsThereIsRoomFor(t *testing.T) {
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		ours, peer := connPair(t)
		require.NoError(t, ours.SetWriteDeadline(time.Unix(1, 0)))
		data := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
		rest, blocked := data, 0
		w := ev.NewConnIO(l, ours, ev.Write, func(w *ev.IO, _ ev.Events) {
			for len(rest) > 0 {
				n, err := w.TryWrite(rest)
				if err == ev.ErrWouldBlock {
					assert.Zero(t, n)
					if blocked++; blocked == 1 {
						go func() { // nobody has read so far
							_, _ = io.Copy(io.Discard, peer)
						}()
					}
					return
				}
				require.NoError(t, err)
				rest = rest[n:]
			}
			w.Stop()
		})
		require.NoError(t, w.Start())
		run(t, l)
		assert.Empty(t, rest)
		assert.Positive(t, blocked)
		require.NoError(t, peer.Close())
	})
}

func TestTryAcceptGivesAConnectionOrWouldBlock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("package net takes no descriptors there")
	}
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, network := range []string{"tcp", "unix"} {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			listener, err := net.Listen(network, address)
			require.NoError(t, err)
			defer listener.Close()
			require.NoError(t, listener.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Unix(1, 0)))
			var accepted []net.Conn
			w := ev.NewConnIO(l, listener.(interface {
				net.Listener
				syscallConn
			}), ev.Read, func(w *ev.IO, _ ev.Events) {
				for {
					c, err := w.TryAccept()
					if err == ev.ErrWouldBlock {
						break
					}
					require.NoError(t, err)
					accepted = append(accepted, c)
				}
				if len(accepted) == 2 {
					w.Stop()
				}
			})
			c, err := w.TryAccept()
			assert.Nil(t, c)
			assert.Equal(t, ev.ErrWouldBlock, err)
			require.NoError(t, w.Start())
			for range 2 {
				dialed, err := net.Dial(network, listener.Addr().String())
				require.NoError(t, err)
				defer dialed.Close()
			}
			run(t, l)
			for _, c := range accepted {
				assert.Equal(t, network, c.LocalAddr().Network())
				require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond))) // it is non-blocking
				_, err := c.Read(make([]byte, 1))
				assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
				require.NoError(t, c.Close())
			}
		}
	})
}

func TestTryOfAClosedConnectionSaysSo(t *testing.T) {
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		ours, _ := connPair(t)
		w := ev.NewConnIO(l, ours, ev.Read, func(*ev.IO, ev.Events) {})
		require.NoError(t, ours.Close())
		_, err := w.TryRead(make([]byte, 1))
		assert.ErrorIs(t, err, os.ErrClosed)
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.Contains(t, err.Error(), "ev: IO.TryRead: ")
		_, err = w.TryWrite([]byte("x"))
		assert.ErrorIs(t, err, os.ErrClosed)
		if runtime.GOOS != "windows" {
			_, err = w.TryAccept()
			assert.ErrorIs(t, err, os.ErrClosed)
		}
	})
}

func TestTryReadOfAnEmptyMessageIsNotTheEnd(t *testing.T) {
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		ours, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil && runtime.GOOS == "windows" {
			t.Skip("Wine 8 lacks SIO_UDP_NETRESET, which package net needs: ", err)
		}
		require.NoError(t, err)
		defer ours.Close()
		peer, err := net.Dial("udp", ours.LocalAddr().String())
		require.NoError(t, err)
		defer peer.Close()
		calls := 0
		w := ev.NewConnIO(l, ours, ev.Read, func(w *ev.IO, _ ev.Events) {
			calls++
			n, err := w.TryRead(make([]byte, 10))
			assert.Zero(t, n)
			assert.NoError(t, err)
			w.Stop()
		})
		require.NoError(t, w.Start())
		_, err = peer.Write(nil)
		require.NoError(t, err)
		run(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestTryDoesNotAllocate(t *testing.T) {
	skipWithDebug(t)
	if runtime.GOOS == "windows" {
		t.Skip("LazyProc.Call allocates")
	}
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		ours, peer := connPair(t)
		r := ev.NewConnIO(l, ours, ev.Read, func(*ev.IO, ev.Events) {})
		w := ev.NewConnIO(l, peer, ev.Write, func(*ev.IO, ev.Events) {})
		buf := make([]byte, 1)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			_, _ = w.TryWrite(buf)
			_, _ = r.TryRead(buf)
			_, err := r.TryRead(buf)
			if err != nil && err != ev.ErrWouldBlock {
				t.Error(err)
			}
		}))
	})
}

// A connection's Control may be the user's, and call another watcher's TryRead.
func TestTryInsideTheControlOfAnotherTry(t *testing.T) {
	onEveryIOLoop(t, func(t *testing.T, l *ev.Loop) {
		ours, peer := connPair(t)
		inner := ev.NewConnIO(l, ours, ev.Read, func(*ev.IO, ev.Events) {})
		outer := ev.NewConnIO(l, nested{peer, func() {
			_, err := inner.TryRead(make([]byte, 1))
			assert.Equal(t, ev.ErrWouldBlock, err)
		}}, ev.Write, func(*ev.IO, ev.Events) {})
		n, err := outer.TryWrite([]byte("hello"))
		assert.Equal(t, 5, n)
		assert.NoError(t, err)
		require.NoError(t, errors.Join(ours.Close(), peer.Close()))
	})
}

type syscallConn interface {
	SyscallConn() (syscall.RawConn, error)
}

// nested calls a function before each Control.
type nested struct {
	syscall.Conn
	before func()
}

func (n nested) SyscallConn() (syscall.RawConn, error) {
	raw, err := n.Conn.SyscallConn()
	return nestedRaw{raw, n.before}, err
}

type nestedRaw struct {
	syscall.RawConn
	before func()
}

func (n nestedRaw) Control(fn func(uintptr)) error {
	return n.RawConn.Control(func(fd uintptr) {
		n.before()
		fn(fd)
	})
}
