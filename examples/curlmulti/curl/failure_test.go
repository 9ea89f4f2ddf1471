//go:build cgo

package curl_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/curlmulti/curl"
)

// deafPort returns a port that refuses connections. It is bound without a
// listener, so that no other program can take it.
func deafPort(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	at, err := unix.Getsockname(fd)
	require.NoError(t, err)
	return at.(*unix.SockaddrInet4).Port
}

func TestARefusedConnectionIsLibcurlsError(t *testing.T) {
	url := fmt.Sprintf("http://127.0.0.1:%d/", deafPort(t))
	loop, m := newMulti(t)
	o := get(t, m, url)
	assert.Zero(t, o.ends, "Start does not call back")
	run(t, loop)
	assert.Equal(t, 1, o.ends)
	require.ErrorIs(t, o.err, curl.CouldNotConnect)
	var code curl.Code
	require.ErrorAs(t, o.err, &code)
	assert.EqualValues(t, 7, code)
	assert.Contains(t, o.err.Error(), url+": curl: (7) ")
	assert.Contains(t, o.err.Error(), "127.0.0.1 port", "libcurl's own detail")
	assert.Zero(t, o.result)
}

func TestAServerThatLeavesInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		name, answer, body string
		want               curl.Code
	}{
		{"of the body", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this", "only this", curl.PartialFile},
		{"before the answer", "", "", curl.GotNothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if !assert.NoError(t, err) {
					return
				}
				_, _ = io.WriteString(conn, c.answer)
				_ = conn.Close()
			})
			loop, m := newMulti(t)
			o := get(t, m, s.URL)
			run(t, loop)
			assert.ErrorIs(t, o.err, c.want)
			assert.Equal(t, c.body, o.body.String())
			assert.EqualValues(t, len(c.body), o.result.Size)
			assert.Equal(t, 1, o.ends)
		})
	}
}

func TestOneFailureIsNotTheOthers(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "fine") })
	loop, m := newMulti(t)
	url := fmt.Sprintf("http://127.0.0.1:%d/", deafPort(t))
	var good, bad []*outcome
	for range 20 {
		good, bad = append(good, get(t, m, s.URL)), append(bad, get(t, m, url))
	}
	run(t, loop)
	for i := range good {
		assert.NoError(t, good[i].err)
		assert.Equal(t, "fine", good[i].body.String())
		assert.ErrorIs(t, bad[i].err, curl.CouldNotConnect)
	}
}

// Handshakes and their failures run concurrently. The errors that OpenSSL keeps
// for each thread must not be mixed up.
func TestAServerWithAnUnknownCertificateIsNotTrusted(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it reports clients that leave
	s.StartTLS()
	defer s.Close()
	loop, m := newMulti(t)
	var outcomes []*outcome
	for range 5 {
		outcomes = append(outcomes, get(t, m, s.URL))
	}
	run(t, loop)
	for _, o := range outcomes {
		assert.ErrorIs(t, o.err, curl.UntrustedServer)
		assert.Zero(t, o.result.Status)
	}
}

func TestWhatLibcurlThinksOfAURLDoneIsTold(t *testing.T) {
	loop, m := newMulti(t)
	for url, want := range map[string]curl.Code{
		"file:///etc/passwd":  curl.UnsupportedProtocol,
		"gopher://127.0.0.1/": curl.UnsupportedProtocol,
		"http://":             curl.MalformedURL,
		"":                    curl.MalformedURL,
		"http://a b/":         curl.MalformedURL,
	} {
		o := get(t, m, url)
		run(t, loop)
		assert.ErrorIs(t, o.err, want, url)
		assert.Equal(t, 1, o.ends, url)
	}
}

func TestRequestsThatCannotBeTriedAreRefused(t *testing.T) {
	loop, m := newMulti(t)
	done := func(_ curl.Result, err error) { assert.Fail(t, "it began", "%v", err) }
	for want, r := range map[string]curl.Request{
		`"http://x/": Done is nil`:                                     {URL: "http://x/"},
		`"http://x/\x00": a zero byte in the URL`:                      {URL: "http://x/\x00", Done: done},
		`"http://x/": negative timeout -1ns`:                           {URL: "http://x/", Done: done, Timeout: -1},
		`"http://x/": timeout 720h0m0s is more than libcurl can count`: {URL: "http://x/", Done: done, Timeout: 720 * time.Hour},
	} {
		transfer, err := m.Start(r)
		assert.ErrorContains(t, err, want)
		assert.Nil(t, transfer)
	}
	assert.Zero(t, m.Active())
	run(t, loop)
}

func TestAMultiThatCannotBe(t *testing.T) {
	_, err := curl.NewMulti(newLoop(t, ev.WithBackend(ev.BackendChan)))
	assert.ErrorIs(t, err, errors.ErrUnsupported)
	loop := newLoop(t)
	require.NoError(t, loop.Close())
	_, err = curl.NewMulti(loop)
	assert.ErrorIs(t, err, ev.ErrClosed)
}

// The loop needs a descriptor of its own when it first watches one. Only one is
// left, and libcurl's socket takes it.
func TestASocketThatTheLoopRefusesEndsAllTransfers(t *testing.T) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { _ = unix.Close(listener) }()
	require.NoError(t, unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(listener, 16))
	at, err := unix.Getsockname(listener)
	require.NoError(t, err)
	url := fmt.Sprintf("http://127.0.0.1:%d/", at.(*unix.SockaddrInet4).Port)

	loop, m := newMulti(t)
	first, second := get(t, m, url), get(t, m, url)
	onlyOneDescriptorLeft(t)
	run(t, loop)
	for _, o := range []*outcome{first, second} {
		assert.Equal(t, 1, o.ends)
		assert.ErrorIs(t, o.err, unix.EMFILE)
		assert.ErrorContains(t, o.err, url+": ev: IO.Start: ")
	}
	_, err = m.Start(first.request(url))
	assert.ErrorIs(t, err, unix.EMFILE, "it does not come back")
}

func onlyOneDescriptorLeft(t *testing.T) {
	t.Helper()
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	low := limit
	low.Cur = 256
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &low))
	var filler []int
	t.Cleanup(func() {
		for _, fd := range filler {
			_ = unix.Close(fd)
		}
		assert.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	})
	for {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == unix.EMFILE {
			break
		}
		require.NoError(t, err)
		filler = append(filler, fd)
	}
	require.NotEmpty(t, filler)
	last := len(filler) - 1
	require.NoError(t, unix.Close(filler[last]))
	filler = filler[:last]
}
