package evnet_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

type (
	closeWriter interface{ CloseWrite() error }
	closeReader interface{ CloseRead() error }
)

func TestAHalfCloseIsTheEndForThePeerOnly(t *testing.T) {
	needsSockets(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, network := range socketNetworks() {
			a, b := taskPair(t, l, network)
			spawn(t, l, func(*ev.Task) error {
				all, err := io.ReadAll(b)
				assert.Equal(t, "question", string(all))
				_, err2 := io.WriteString(b, "answer")
				return errors.Join(err, err2, b.Close())
			})
			spawn(t, l, func(*ev.Task) error {
				_, err := io.WriteString(a, "question")
				err2 := a.(closeWriter).CloseWrite()
				all, err3 := io.ReadAll(a)
				assert.Equal(t, "answer", string(all))
				_, broken := a.Write([]byte("x"))
				assertErrno(t, syscall.EPIPE, broken)
				return errors.Join(err, err2, err3, a.Close())
			})
			run(t, l)
			if runtime.GOOS == "windows" {
				continue // CloseRead does not end a read in progress
			}
			c, _ := pair(t, l, network)
			spawn(t, l, func(*ev.Task) error {
				after(l, time.Millisecond, func() { assert.NoError(t, c.(closeReader).CloseRead()) })
				_, err := c.Read(make([]byte, 1))
				assert.Equal(t, io.EOF, err)
				return nil
			})
			run(t, l)
		}
		c, _ := pair(t, l, "pipe")
		_, can := c.(closeWriter)
		assert.False(t, can, "a pipe has no half-close")
	})
}

func TestABrokenConnectionIsAnErrorOfTheSystem(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the calls have other names and errors; Wine can report a reset as the end")
	}
	needsSockets(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		c, far := pair(t, l, "tcp")
		spawn(t, l, func(task *ev.Task) error {
			after(l, time.Millisecond, func() {
				_ = far.(*net.TCPConn).SetLinger(0)
				_ = far.Close()
			})
			_, err := c.Read(make([]byte, 1))
			assertSyscallError(t, "read", syscall.ECONNRESET, err)
			_, err = c.Write([]byte("x"))
			assertSyscallError(t, "write", syscall.EPIPE, err)
			return nil
		})
		run(t, l)
	})
}

// assertErrno checks the error of a system call. Winsock has numbers of its own.
func assertErrno(t *testing.T, errno syscall.Errno, err error) {
	t.Helper()
	if runtime.GOOS == "windows" {
		assert.ErrorAs(t, err, &errno)
		return
	}
	assert.ErrorIs(t, err, errno)
}

func assertSyscallError(t *testing.T, op string, errno syscall.Errno, err error) {
	t.Helper()
	var failed *net.OpError
	var call *os.SyscallError
	assert.ErrorIs(t, err, errno)
	if assert.ErrorAs(t, err, &failed) && assert.ErrorAs(t, err, &call) {
		assert.Equal(t, op, failed.Op)
		assert.Equal(t, op, call.Syscall)
		assert.NotNil(t, failed.Addr)
	}
}

func TestIOCopyMovesAllInBothDirections(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		a, b := taskPair(t, l, network)
		c, d := taskPair(t, l, network)
		text := strings.Repeat("all work and no play\n", 50_000)
		spawn(t, l, func(*ev.Task) error { // a -> b -> c -> d
			n, err := io.Copy(c, b)
			assert.EqualValues(t, len(text), n)
			return errors.Join(err, c.Close())
		})
		spawn(t, l, func(*ev.Task) error {
			n, err := a.(io.ReaderFrom).ReadFrom(strings.NewReader(text))
			assert.EqualValues(t, len(text), n)
			return errors.Join(err, a.Close())
		})
		spawn(t, l, func(*ev.Task) error {
			var all bytes.Buffer
			n, err := d.(io.WriterTo).WriteTo(&all)
			assert.EqualValues(t, len(text), n)
			assert.True(t, text == all.String())
			return err
		})
		run(t, l)
	})
}

func TestLineAndMessageProtocolsRunAsTheyAre(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		type message struct {
			N    int
			Text string
		}
		a, b := taskPair(t, l, network)
		spawn(t, l, func(*ev.Task) error { // the server
			defer b.Close()
			p := textproto.NewConn(b)
			line, err := p.ReadLine()
			if err != nil {
				return err
			}
			if err := p.PrintfLine("250 %s", strings.ToUpper(line)); err != nil {
				return err
			}
			in, out := json.NewDecoder(p.R), json.NewEncoder(b)
			for {
				var m message
				if err := in.Decode(&m); err == io.EOF {
					return nil
				} else if err != nil {
					return err
				}
				m.N++
				if err := out.Encode(m); err != nil {
					return err
				}
			}
		})
		spawn(t, l, func(*ev.Task) error { // the client
			defer a.Close()
			p := textproto.NewConn(a)
			if err := p.PrintfLine("hello"); err != nil {
				return err
			}
			_, line, err := p.ReadResponse(250)
			assert.Equal(t, "HELLO", line)
			if err != nil {
				return err
			}
			in, out := json.NewDecoder(p.R), json.NewEncoder(a)
			for i := range 20 {
				if err := out.Encode(message{i, strings.Repeat("x", i*100)}); err != nil {
					return err
				}
				var m message
				if err := in.Decode(&m); err != nil {
					return err
				}
				assert.Equal(t, message{i + 1, strings.Repeat("x", i*100)}, m)
			}
			return nil
		})
		run(t, l)
	})
}

// answerHTTP is an HTTP/1.1 server for one connection.
func answerHTTP(c net.Conn) error {
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s %s %s", req.Method, req.URL.Path, body)
		resp := http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Request: req,
			ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text))}
		if err := resp.Write(c); err != nil {
			return err
		}
	}
}

func TestNetHTTPsClientTalksToATask(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		serve(t, l, ln, answerHTTP)
		spawn(t, l, func(task *ev.Task) error {
			defer ln.Close()
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			for range 3 {
				got, err := ev.Await(task, func(context.Context) (string, error) {
					resp, err := client.Post("http://"+ln.Addr().String()+"/path", "text/plain", strings.NewReader("body"))
					if err != nil {
						return "", err
					}
					defer resp.Body.Close()
					all, err := io.ReadAll(resp.Body)
					return string(all), err
				})
				if err != nil {
					return err
				}
				assert.Equal(t, "POST /path body", got)
			}
			return nil
		})
		run(t, l)
	})
}

// certificate makes a certificate for localhost, and the configuration of a client that trusts it.
func certificate(t testing.TB) (server, client *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return server, &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func TestTLSRunsOnTop(t *testing.T) {
	serverConfig, clientConfig := certificate(t)
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		a, b := taskPair(t, l, network)
		spawn(t, l, func(*ev.Task) error {
			s := tls.Server(b, serverConfig)
			defer s.Close()
			if err := s.Handshake(); err != nil {
				return err
			}
			return echo(s)
		})
		spawn(t, l, func(task *ev.Task) error {
			c := tls.Client(a, clientConfig)
			defer a.Close()
			if err := c.Handshake(); err != nil {
				return err
			}
			text := strings.Repeat("secret ", 50_000)
			writer := spawn(t, l, func(*ev.Task) error { // two tasks, after the handshake
				_, err := io.WriteString(c, text)
				return errors.Join(err, c.CloseWrite())
			})
			got, err := io.ReadAll(c)
			assert.True(t, text == string(got))
			return errors.Join(err, task.Join(writer))
		})
		run(t, l)
	})
}

// A tls.Conn has no descriptor: wrapped itself, it works by goroutines.
func TestATLSConnectionItselfIsWrapped(t *testing.T) {
	serverConfig, clientConfig := certificate(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		near, far := plainPair(t, "tcp")
		a, err := evnet.Wrap(l, tls.Client(near, clientConfig))
		require.NoError(t, err)
		b, err := evnet.Wrap(l, tls.Server(far, serverConfig))
		require.NoError(t, err)
		_, can := a.(closeReader)
		assert.False(t, can)
		spawn(t, l, func(*ev.Task) error { return errors.Join(echo(b), b.Close()) })
		spawn(t, l, func(*ev.Task) error {
			_, err := io.WriteString(a, "hello")
			got := make([]byte, 5)
			_, err2 := io.ReadFull(a, got)
			assert.Equal(t, "hello", string(got))
			return errors.Join(err, err2, a.(closeWriter).CloseWrite(), a.Close())
		})
		run(t, l)
	})
}

func TestATLSListenerOnTopServesAnOrdinaryClient(t *testing.T) {
	serverConfig, clientConfig := certificate(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		serve(t, l, tls.NewListener(ln, serverConfig), echo)
		spawn(t, l, func(task *ev.Task) error {
			defer ln.Close()
			got, err := ev.Await(task, func(context.Context) (string, error) {
				c, err := tls.Dial("tcp", ln.Addr().String(), clientConfig)
				if err != nil {
					return "", err
				}
				defer c.Close()
				_, _ = io.WriteString(c, "hello")
				buf := make([]byte, 5)
				_, err = io.ReadFull(c, buf)
				return string(buf), err
			})
			assert.Equal(t, "hello", got)
			return err
		})
		run(t, l)
	})
}

func TestDatagramsKeepTheirBoundaries(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		far, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil && runtime.GOOS == "windows" {
			t.Skip("Wine 8 lacks SIO_UDP_NETRESET, which package net needs: ", err)
		}
		require.NoError(t, err)
		defer far.Close()
		near, err := net.Dial("udp", far.LocalAddr().String())
		require.NoError(t, err)
		c, err := evnet.Wrap(l, near)
		require.NoError(t, err)
		spawn(t, l, func(*ev.Task) error {
			defer c.Close()
			for _, size := range []int{3, 0, 5} {
				_, err := far.WriteTo(make([]byte, size), near.LocalAddr())
				require.NoError(t, err)
				n, err := c.Read(make([]byte, 10))
				assert.Equal(t, size, n)
				assert.NoError(t, err, "an empty datagram is not the end")
			}
			n, err := c.Write(nil)
			assert.Zero(t, n)
			require.NoError(t, err)
			_, _, err = far.ReadFrom(make([]byte, 10)) // it was sent
			return err
		})
		run(t, l)
	})
}

func TestAThousandConnections(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		const clients, rounds = 1000, 3
		ln, err := evnet.Listen(l, "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		serve(t, l, ln, echo)
		left, together := clients, ev.NewCond(l)
		for i := range clients {
			spawn(t, l, func(task *ev.Task) error {
				c, err := evnet.Dial(task, "tcp", ln.Addr().String())
				if err != nil {
					return err
				}
				defer c.Close()
				if left--; left == 0 {
					together.Broadcast()
				}
				for left > 0 { // all are connected at the same time
					if err := together.Wait(task); err != nil {
						return err
					}
				}
				want := fmt.Appendf(nil, "client %d", i)
				got := make([]byte, len(want))
				for range rounds {
					if _, err := c.Write(want); err != nil {
						return err
					}
					if _, err := io.ReadFull(c, got); err != nil {
						return err
					}
					assert.Equal(t, want, got)
				}
				if left--; left == -clients {
					return ln.Close()
				}
				return nil
			})
		}
		run(t, l)
		assert.Equal(t, -clients, left)
	})
}

func TestATaskThatNeverWaitsStarvesNobody(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		networks := socketNetworks()
		a, b := taskPair(t, l, networks[len(networks)-1])
		stop := false
		after(l, 5*time.Millisecond, func() { stop = true })
		spawn(t, l, func(*ev.Task) error {
			defer a.Close()
			for !stop {
				if _, err := a.Write([]byte("x")); err != nil { // the other one reads at once
					return err
				}
				if _, err := b.Read(make([]byte, 1)); err != nil {
					return err
				}
			}
			return nil
		})
		run(t, l)
	})
}

func TestTheArgumentsAreChecked(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close()
	near, _ := plainPair(t, "tcp")
	assert.PanicsWithValue(t, "evnet: Wrap: nil loop", func() { _, _ = evnet.Wrap(nil, near) })
	assert.PanicsWithValue(t, "evnet: Wrap: nil connection", func() { _, _ = evnet.Wrap(l, nil) })
	assert.PanicsWithValue(t, "evnet: WrapListener: nil listener", func() { _, _ = evnet.WrapListener(l, nil) })
	assert.PanicsWithValue(t, "evnet: Listen: nil loop", func() { _, _ = evnet.Listen(nil, "tcp", ":0") })
	_, err = evnet.Listen(l, "tcp", "nowhere.invalid:x")
	assert.Error(t, err)
	c, err := evnet.Wrap(l, near)
	require.NoError(t, err)
	again, err := evnet.Wrap(l, c)
	require.NoError(t, err)
	assert.Same(t, c, again)
	assert.Equal(t, near.LocalAddr(), c.LocalAddr())
	raw, err := c.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	assert.NoError(t, raw.Control(func(uintptr) {}))
	if runtime.GOARCH != "wasm" { // simulated there: without a descriptor there is nothing to ask
		require.NoError(t, near.Close())
		_, err = evnet.Wrap(l, near)
		assert.ErrorIs(t, err, net.ErrClosed)
	}
	pipe, _ := pair(t, l, "pipe")
	_, err = pipe.(syscall.Conn).SyscallConn()
	assert.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestAnEmptyReadReturnsAtOnce(t *testing.T) {
	onEveryConn(t, func(t *testing.T, l *ev.Loop, network string) {
		c, _ := pair(t, l, network)
		spawn(t, l, func(*ev.Task) error {
			n, err := c.Read(nil)
			assert.Zero(t, n)
			return err
		})
		run(t, l)
	})
}

// The wrapped connection is closed by its owner, not by the wrapper.
func TestTheInnerConnectionIsClosedUnderARead(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		near, _ := plainPair(t, "tcp")
		c, err := evnet.Wrap(l, near)
		require.NoError(t, err)
		spawn(t, l, func(*ev.Task) error {
			require.NoError(t, near.Close())
			_, err := c.Read(make([]byte, 1))
			assert.ErrorIs(t, err, net.ErrClosed)
			_, err = c.Write(make([]byte, 1))
			assert.ErrorIs(t, err, net.ErrClosed)
			return nil
		})
		run(t, l)
	})
}

func TestADialThatFails(t *testing.T) {
	needsSockets(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := ln.Addr().String()
		require.NoError(t, ln.Close())
		dialing := ev.Spawn(l, func(task *ev.Task) error {
			_, err := evnet.Dial(task, "tcp", address)
			assertErrno(t, syscall.ECONNREFUSED, err)
			task.Stop()
			_, err = evnet.Dial(task, "tcp", address)
			return err
		})
		run(t, l)
		assert.Error(t, dialing.Err())
	})
}

func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer l.Close()
		near, far := net.Pipe()
		c, err := evnet.Wrap(l, near)
		require.NoError(t, err)
		spawn(t, l, func(*ev.Task) error {
			defer far.Close()
			defer c.Close()
			began := time.Now()
			assert.NoError(t, c.SetReadDeadline(began.Add(time.Hour)))
			_, err := c.Read(make([]byte, 1))
			assertTimeout(t, "read", err)
			assert.Equal(t, time.Hour, time.Since(began))
			assert.NoError(t, c.SetReadDeadline(time.Time{}))
			go func() { time.Sleep(time.Minute); _, _ = far.Write([]byte("x")) }()
			n, err := c.Read(make([]byte, 1))
			assert.Equal(t, 1, n)
			assert.Equal(t, time.Hour+time.Minute, time.Since(began))
			return err
		})
		require.NoError(t, l.Run(context.Background())) // patience is over at once
	})
}
