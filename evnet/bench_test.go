package evnet_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

// BenchmarkEcho is one message of 64 bytes there and back, between two tasks of one loop.
func BenchmarkEcho(b *testing.B) {
	b.Run("tasks", func(b *testing.B) {
		l, err := ev.New()
		require.NoError(b, err)
		defer l.Close()
		near, far := taskPair(b, l, "tcp")
		b.ReportAllocs()
		ev.Spawn(l, func(*ev.Task) error { return echo(far) })
		spawn(b, l, func(*ev.Task) error {
			defer near.Close()
			return pingPong(near, b.N)
		})
		before := l.Stats()
		run(b, l)
		b.ReportMetric(float64(l.Stats().InterestChanges-before.InterestChanges)/float64(b.N), "changes/op")
	})
	b.Run("goroutines", func(b *testing.B) {
		near, far := plainPair(b, "tcp")
		b.ReportAllocs()
		go func() { _ = echo(far) }()
		require.NoError(b, pingPong(near, b.N))
	})
}

var buf64 = make([]byte, 64)

func pingPong(c net.Conn, n int) error { return pingPongWith(c, make([]byte, 64), n) }

func pingPongWith(c net.Conn, buf []byte, n int) error {
	for range n {
		if _, err := c.Write(buf); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkAccept is a connection that is accepted and closed.
func BenchmarkAccept(b *testing.B) {
	dial := func(b *testing.B, address string) {
		for range b.N {
			c, err := net.Dial("tcp", address)
			if err != nil {
				b.Error(err)
				return
			}
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}
	accept := func(ln net.Listener, n int) error {
		for range n {
			c, err := ln.Accept()
			if err != nil {
				return err
			}
			_ = c.Close()
		}
		return nil
	}
	b.Run("tasks", func(b *testing.B) {
		l, err := ev.New()
		require.NoError(b, err)
		defer l.Close()
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(b, err)
		defer ln.Close()
		go dial(b, ln.Addr().String())
		spawn(b, l, func(*ev.Task) error { return accept(ln, b.N) })
		run(b, l)
	})
	b.Run("goroutines", func(b *testing.B) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(b, err)
		defer ln.Close()
		go dial(b, ln.Addr().String())
		require.NoError(b, accept(ln, b.N))
	})
}

// BenchmarkDeadline is what a deadline before each read costs.
func BenchmarkDeadline(b *testing.B) {
	l, err := ev.New()
	require.NoError(b, err)
	defer l.Close()
	c, _ := pair(b, l, "tcp")
	b.ReportAllocs()
	for b.Loop() {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	}
}
