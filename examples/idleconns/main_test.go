//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// TestMain makes the test binary the program, or its clients, if its
// environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("EV_EXAMPLE_IDLECONNS") != "" || os.Getenv(clientsEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(t *testing.T, args ...string) (string, error) {
	t.Helper()
	needDescriptors(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patient)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "EV_EXAMPLE_IDLECONNS=1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func needDescriptors(t *testing.T) {
	t.Helper()
	l := newLoop(t)
	fd, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer fd.Close()
	w := ev.NewIO(l, int(fd.Fd()), ev.Read, func(*ev.IO, ev.Events) {})
	defer w.Stop()
	if err := w.Start(); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no ev.IO")
	}
}

func newLoop(t *testing.T) *ev.Loop {
	t.Helper()
	l, err := ev.New()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

var tableRow = regexp.MustCompile(`(?m)^\| (\S.*?) +\| +(-?\d+) \| +(-?\d+) \| +(\S+) \|$`)

func TestTheTable(t *testing.T) {
	out, err := program(t, "-n", "500")
	require.NoError(t, err, out)
	rows := tableRow.FindAllStringSubmatch(out, -1)
	require.Len(t, rows, 4, out)
	for i, row := range rows {
		goroutines, err := strconv.Atoi(row[3])
		require.NoError(t, err)
		if i < 2 {
			assert.LessOrEqual(t, goroutines, 0, row[0])
		} else {
			assert.Equal(t, 500, goroutines, row[0])
		}
		if i > 0 {
			assert.Equal(t, "50/50", row[4], row[0])
		}
	}
	assert.Contains(t, rows[1][1], "ev.IO")
}

func TestThereAreNoMoreConnectionsThanDescriptors(t *testing.T) {
	needDescriptors(t)
	limited := exec.Command("sh", "-c", `ulimit -n 200 && exec "$0" -n 500`, os.Args[0])
	limited.Env = append(os.Environ(), "EV_EXAMPLE_IDLECONNS=1")
	out, err := limited.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "RLIMIT_NOFILE allows 136 connections, not 500")
	assert.Contains(t, string(out), "14/14")
}

func TestArgumentsAreChecked(t *testing.T) {
	for _, args := range [][]string{{"-n", "0"}, {"-n", "-1"}, {"more"}} {
		out, err := program(t, args...)
		assert.Error(t, err)
		assert.True(t, strings.HasPrefix(out, "idleconns: "), out)
	}
}

// parkOne parks a connection and returns its other end.
func parkOne(t *testing.T, early string) (*lot, net.Conn) {
	t.Helper()
	needDescriptors(t)
	loop := newLoop(t)
	l := newLot(loop, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	far, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	near, err := listener.Accept()
	require.NoError(t, err)
	require.NoError(t, far.SetDeadline(time.Now().Add(patient)))
	l.park(near, []byte(early))
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(context.Background()) }()
	t.Cleanup(func() {
		far.Close()
		assert.NoError(t, until(func() bool { return watched(t, l) == 0 }))
		assert.ErrorIs(t, near.SetDeadline(time.Time{}), net.ErrClosed)
		loop.Stop()
		assert.NoError(t, <-ended)
		assert.NoError(t, l.err)
	})
	require.NoError(t, until(func() bool {
		held, err := ev.Call(t.Context(), loop, func() (int, error) { return len(l.held), nil })
		return err == nil && held == 1
	}))
	require.NoError(t, loop.Post(l.watch))
	require.Equal(t, 1, watched(t, l))
	return l, far
}

func watched(t *testing.T, l *lot) int {
	t.Helper()
	n, err := ev.Call(context.Background(), l.loop, func() (int, error) { return l.watched, nil })
	require.NoError(t, err)
	return n
}

func TestALineThatCameInPartWithTheRequest(t *testing.T) {
	_, far := parkOne(t, "one\ntw")
	r := bufio.NewReader(far)
	for _, c := range []struct{ send, want string }{{"", "one\n"}, {"o\n", "two\n"}, {"three\n", "three\n"}} {
		_, err := io.WriteString(far, c.send)
		require.NoError(t, err)
		line, err := r.ReadString('\n')
		require.NoError(t, err)
		assert.Equal(t, c.want, line)
	}
}

func TestAClientThatDoesNotReadHoldsUpNobody(t *testing.T) {
	l, far := parkOne(t, "")
	const size = 32 << 20 // more than all the buffers between
	line := strings.Repeat("x", 1023) + "\n"
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(far, strings.Repeat(line, size/len(line)))
		sent <- err
	}()
	require.NoError(t, until(func() bool { // the loop answers while the socket takes no data
		active, err := ev.Call(t.Context(), l.loop, func() (int, error) { return l.loop.Active(), nil })
		return err == nil && active == 1 // the queue; not the watcher
	}))
	got, err := io.Copy(io.Discard, io.LimitReader(far, size))
	require.NoError(t, err)
	assert.EqualValues(t, size, got)
	assert.NoError(t, <-sent)
}

func TestALineWithoutEndEndsTheConnection(t *testing.T) {
	_, far := parkOne(t, "")
	_, _ = io.WriteString(far, strings.Repeat("x", maxLine+1))
	_, err := far.Read(make([]byte, 1))
	require.Error(t, err)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}
