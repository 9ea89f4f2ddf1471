//go:build cgo

package redis_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev/examples/hiredis/redis"
)

func TestAKilledServer(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	var changes log
	c := newClient(t, loop, redis.Options{Address: s.Address, Changed: changes.add})
	_, err := ask(t, loop, c, "SET", "key", "value")
	require.NoError(t, err)
	assert.Equal(t, log{nil}, changes)

	var inProgress []*outcome
	inProgress = append(inProgress, do(t, c, "BLPOP", "empty", "0"))
	for range 10 {
		inProgress = append(inProgress, do(t, c, "PING"))
	}
	require.NoError(t, s.Kill())
	run(t, loop)
	for _, o := range inProgress {
		var why *redis.Error
		assert.Equal(t, 1, o.calls)
		assert.ErrorAs(t, o.err, &why)
	}
	assert.False(t, c.Connected())
	require.Len(t, changes, 2)
	assert.ErrorContains(t, changes[1], "redis: hiredis: (")

	_, err = ask(t, loop, c, "PING")
	assert.Equal(t, redis.ErrNotConnected, err)

	require.NoError(t, s.Restart())
	runUntil(t, loop, c.Connected)
	reply, err := ask(t, loop, c, "DBSIZE")
	assert.NoError(t, err)
	assert.Equal(t, int64(0), reply, "it is another server")
	assert.Equal(t, 2, changes.ups())
}

func TestAServerThatComesLater(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	require.NoError(t, s.Kill()) // it leaves the socket's file
	for _, address := range []string{s.Address, filepath.Join(t.TempDir(), "none")} {
		var changes log
		c := newClient(t, loop, redis.Options{Address: address, Retry: time.Millisecond, Changed: changes.add})
		assert.Empty(t, changes, "NewClient does not call back")
		o := do(t, c, "PING")
		run(t, loop)
		assert.Equal(t, outcome{nil, redis.ErrNotConnected, 1}, *o)
		runUntil(t, loop, func() bool { return len(changes) == 5 })
		assert.Zero(t, changes.ups())
		c.Close()
	}
	c := newClient(t, loop, redis.Options{Address: s.Address, Retry: time.Millisecond})
	runUntil(t, loop, func() bool { return !c.Connected() })
	require.NoError(t, s.Restart())
	runUntil(t, loop, c.Connected)
}

func TestARefusedConnectionFailsTheCommandsGivenMeanwhile(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { _ = unix.Close(fd) }()
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	loop := newLoop(t)
	c := newClient(t, loop, redis.Options{Address: fmt.Sprintf("127.0.0.1:%d", port(t, fd))})
	o := do(t, c, "PING")
	run(t, loop)
	assert.Equal(t, 1, o.calls)
	assert.ErrorContains(t, o.err, "Connection refused")
}

func port(t *testing.T, fd int) int {
	t.Helper()
	at, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return at.(*unix.SockaddrInet4).Port
}

// fullPort returns a port that neither accepts nor refuses: its backlog is full.
func fullPort(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 0))
	filler, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(filler) })
	p := port(t, fd)
	require.NoError(t, unix.Connect(filler, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: p}))
	return p
}

// A callback has run for a while when it connects, so the loop's time is in the past. With a
// Timer that counts from it, the timeout would be shorter by that while.
func TestTheConnectTimeoutCountsFromThePresent(t *testing.T) {
	const timeout = 50 * time.Millisecond
	loop := newLoop(t)
	address := fmt.Sprintf("127.0.0.1:%d", fullPort(t))
	var began, ended time.Time
	var c *redis.Client
	o := &outcome{}
	require.NoError(t, loop.Post(func() {
		time.Sleep(2 * timeout)
		began = time.Now()
		c = newClient(t, loop, redis.Options{Address: address, ConnectTimeout: timeout})
		require.NoError(t, c.Do(func(_ any, err error) {
			o.err, ended = err, time.Now()
			c.Close()
		}, "PING"))
	}))
	run(t, loop)
	assert.Equal(t, redis.ErrConnectTimeout, o.err)
	assert.GreaterOrEqual(t, ended.Sub(began), timeout)
}

func TestAServerThatDoesNotReply(t *testing.T) {
	const timeout = 20 * time.Millisecond
	s, loop := serve(t), newLoop(t)
	var changes log
	c := newClient(t, loop, redis.Options{Address: s.Address, ReplyTimeout: timeout, Changed: changes.add})
	runUntil(t, loop, c.Connected)
	require.NoError(t, s.Signal(syscall.SIGSTOP))
	first, second := do(t, c, "PING"), do(t, c, "PING")
	began := time.Now()
	run(t, loop)
	assert.GreaterOrEqual(t, time.Since(began), timeout)
	assert.Equal(t, outcome{nil, redis.ErrReplyTimeout, 1}, *first)
	assert.Equal(t, outcome{nil, redis.ErrReplyTimeout, 1}, *second)
	assert.Equal(t, log{nil, redis.ErrReplyTimeout}, changes)
	require.NoError(t, s.Signal(syscall.SIGCONT))
	c.Close()

	c = newClient(t, loop, redis.Options{Address: s.Address, ReplyTimeout: time.Hour})
	for range 3 {
		reply, err := ask(t, loop, c, "PING")
		assert.NoError(t, err)
		assert.Equal(t, "PONG", reply)
	}
	assert.Equal(t, 1+1, loop.Active(), "the socket and the Cleanup, and no timer")
}

func TestAServerThatTalksNonsense(t *testing.T) {
	loop := newLoop(t)
	address := listen(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "?\r\n")
		_, _ = io.Copy(io.Discard, c)
	})
	c := newClient(t, loop, redis.Options{Address: address})
	o := do(t, c, "PING")
	run(t, loop)
	var why *redis.Error
	require.ErrorAs(t, o.err, &why)
	assert.Contains(t, why.Text, "Protocol error")
}

// The server closes each connection after a reply. Each socket has the number of the one before.
func TestASocketReplacedUnderTheSameNumber(t *testing.T) {
	const rounds = 300
	loop := newLoop(t)
	address := listen(t, func(c net.Conn) {
		b := make([]byte, 100)
		if n, err := c.Read(b); err == nil && strings.Contains(string(b[:n]), "PING") {
			_, _ = io.WriteString(c, "+PONG\r\n")
		}
	})
	var c *redis.Client
	got, ups := 0, 0
	numbers := map[int]bool{}
	c = newClient(t, loop, redis.Options{Address: address, Retry: time.Nanosecond, Changed: func(err error) {
		if err != nil {
			return
		}
		for _, fd := range sockets(t) {
			numbers[fd] = true
		}
		if ups++; ups > rounds {
			c.Close()
			return
		}
		require.NoError(t, c.Do(func(reply any, err error) {
			assert.NoError(t, err)
			assert.Equal(t, "PONG", reply)
			got++
		}, "PING"))
	}})
	loop.Ref()
	runUntil(t, loop, func() bool { return ups > rounds })
	assert.Equal(t, rounds, got)
	assert.Less(t, len(numbers), rounds, "numbers were used again")
}

// sockets are the numbers of this process's sockets.
func sockets(t *testing.T) (all []int) {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("descriptors cannot be seen: %v", err)
	}
	for _, entry := range open {
		to, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err != nil || !strings.HasPrefix(to, "socket:") {
			continue
		}
		fd, err := strconv.Atoi(entry.Name())
		require.NoError(t, err)
		all = append(all, fd)
	}
	return all
}

func TestAChildDoesNotInheritTheConnection(t *testing.T) {
	s, loop := serve(t), newLoop(t)
	before := len(sockets(t))
	c := newClient(t, loop, redis.Options{Address: s.Address})
	runUntil(t, loop, c.Connected)
	all := sockets(t)
	assert.Len(t, all, before+1)
	for _, fd := range all {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		require.NoError(t, err)
		assert.NotZero(t, flags&unix.FD_CLOEXEC)
	}
}

func TestCloseAtAnyTimeFreesEverything(t *testing.T) {
	s := serve(t)
	before := len(sockets(t))
	silent := func(_ any, err error) { assert.Fail(t, "called", "%v", err) }
	for name, steps := range map[string]int{"unborn": 0, "just begun": 1, "connected": 20} {
		for _, byLoop := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				loop := newLoop(t)
				c := newClient(t, loop, redis.Options{Address: s.Address})
				sub := newSubscriber(t, loop, redis.Options{Address: s.Address})
				require.NoError(t, sub.Subscribe("news", nil, func(string) {}))
				require.NoError(t, c.Do(silent, "BLPOP", "empty", "0"))
				for range steps {
					require.NoError(t, loop.RunNoWait())
				}
				if byLoop {
					require.NoError(t, loop.Close())
				}
				c.Close()
				sub.Close()
				assert.Zero(t, loop.Active())
				assert.Len(t, sockets(t), before)
			})
		}
	}
}
