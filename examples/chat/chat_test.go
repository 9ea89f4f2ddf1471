package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

const patience = time.Minute

func TestMain(m *testing.M) {
	if os.Getenv("CHAT_TEST_MAIN") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// notes is a log that a test reads while others write it.
type notes struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.Write(p)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.b.String()
}

// open runs a room until the test ends. interrupt is what a signal does.
func open(t *testing.T, o options) (address string, interrupt func(), logged *notes) {
	logged = new(notes)
	o.log = log.New(logged, "", 0)
	type started struct {
		l *ev.Loop
		s *server
	}
	up, ended := make(chan started, 1), make(chan error, 1)
	go func() {
		ended <- ev.RunTask(context.Background(), func(task *ev.Task) error {
			ln, err := evnet.Listen(task.Loop(), "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer ln.Close()
			s := newServer(task, ln, o)
			up <- started{task.Loop(), s}
			err = s.serve()
			assert.Empty(t, s.room)
			if errors.Is(err, context.DeadlineExceeded) {
				s.log.Print("dropped the rest")
				return nil
			}
			return err
		})
	}()
	at := <-up
	interrupt = sync.OnceFunc(func() { _ = at.l.Post(at.s.interrupt) })
	t.Cleanup(func() {
		interrupt()
		select {
		case err := <-ended:
			assert.NoError(t, err)
		case <-time.After(patience):
			assert.Fail(t, "the room does not end")
		}
	})
	return at.s.ln.Addr().String(), interrupt, logged
}

func usual() options {
	return options{idle: patience, grace: patience, backlog: 1000}
}

// guest is a client of the tests.
type guest struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
}

func visit(t *testing.T, c net.Conn, err error) *guest {
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return &guest{t, c, bufio.NewReader(c)}
}

func enter(t *testing.T, address, name string) *guest {
	c, err := net.Dial("tcp", address)
	g := visit(t, c, err)
	g.hears("* what is your name?")
	g.says(name)
	g.hears("* welcome: ")
	return g
}

func (g *guest) says(line string) {
	_, err := io.WriteString(g.c, line+"\r\n")
	require.NoError(g.t, err)
}

// hears reads up to a line with this beginning.
func (g *guest) hears(want string) (line string) {
	g.t.Helper()
	for {
		line, err := g.in.ReadString('\n')
		require.NoError(g.t, err, "waiting for %q", want)
		if strings.HasPrefix(line, want) {
			return strings.TrimSuffix(line, "\n")
		}
	}
}

// leaves reads the last lines.
func (g *guest) leaves() string {
	rest, err := io.ReadAll(g.in)
	assert.NoError(g.t, err)
	return string(rest)
}

func TestEverybodyHearsWhatIsSaid(t *testing.T) {
	address, _, _ := open(t, usual())
	ann := enter(t, address, "ann")
	bob := enter(t, address, "bob")
	ann.hears("* bob comes in")
	bob.says("hello \x1b[2Jthere")
	assert.Equal(t, "<bob> hello [2Jthere", ann.hears("<"), "no control characters")
	bob.hears("<bob> hello")
	ann.says("/who")
	assert.Equal(t, "* ann bob", ann.hears("* ann"))
	bob.says("/quit")
	ann.hears("* bob leaves")
	assert.Empty(t, bob.leaves())
}

func TestANameIsForOneClient(t *testing.T) {
	address, _, _ := open(t, usual())
	enter(t, address, "ann")
	c, err := net.Dial("tcp", address)
	g := visit(t, c, err)
	for _, name := range []string{"", "two words", strings.Repeat("x", 33), "/who"} {
		g.says(name)
		g.hears("* that is not a name")
	}
	g.says("ann")
	g.hears("* that name is taken")
	g.says("bob")
	g.hears("* welcome: 2 are here")
}

func TestASilentClientIsSentAway(t *testing.T) {
	o := usual()
	o.idle = 20 * time.Millisecond
	address, _, _ := open(t, o)
	c, err := net.Dial("tcp", address)
	assert.Equal(t, "* what is your name?\n* you were silent for too long\n", visit(t, c, err).leaves())
}

func TestALineThatIsTooLongEndsTheConnection(t *testing.T) {
	address, _, _ := open(t, usual())
	g := enter(t, address, "ann")
	_, err := io.WriteString(g.c, strings.Repeat("x", maxLine))
	require.NoError(t, err)
	g.hears("* that line is too long")
}

func TestASlowReaderIsDroppedAndTheOthersGoOn(t *testing.T) {
	o := usual()
	o.backlog = 16
	address, _, logged := open(t, o)
	slow := enter(t, address, "slow")
	_ = slow.c.(*net.TCPConn).SetReadBuffer(4096)
	ann := enter(t, address, "ann")
	text := strings.Repeat("x", 1000)
	for gone := false; !gone; {
		ann.says(text)
		for line := ""; !strings.HasPrefix(line, "<ann>"); {
			line = ann.hears("")
			gone = gone || line == "* slow leaves"
		}
	}
	assert.Contains(t, logged.String(), slow.c.LocalAddr().String()+" does not read, and is dropped")
	bob := enter(t, address, "bob")
	bob.says("/who")
	assert.Equal(t, "* ann bob", bob.hears("* ann"))
}

func TestAtTheEndEachClientGetsTheLinesThatWait(t *testing.T) {
	address, interrupt, _ := open(t, usual())
	ann, bob := enter(t, address, "ann"), enter(t, address, "bob")
	for i := range 100 {
		ann.says(fmt.Sprint(i))
	}
	ann.hears("<ann> 99")
	interrupt()
	all := bob.leaves()
	assert.Contains(t, all, "<ann> 0\n")
	assert.Contains(t, all, "<ann> 99\n")
	assert.Contains(t, all, "* the room closes\n")
	_, err := net.Dial("tcp", address)
	if runtime.GOOS == "windows" { // Winsock has a number of its own
		assert.Error(t, err)
		return
	}
	assert.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// 500 lines that come in one piece do not fill the mailboxes of clients that read.
func TestABurstDropsNobody(t *testing.T) {
	o := usual()
	o.backlog = 16
	address, _, logged := open(t, o)
	ann, bob := enter(t, address, "ann"), enter(t, address, "bob")
	go func() { _, _ = io.WriteString(ann.c, strings.Repeat("x\n", 500)+"end\n") }()
	bob.hears("<ann> end")
	assert.Empty(t, logged.String())
}

func TestAClientThatDoesNotReadDelaysTheEndByTheGraceOnly(t *testing.T) {
	o := usual()
	o.grace, o.backlog = 50*time.Millisecond, 1_000_000
	address, interrupt, logged := open(t, o)
	enter(t, address, "slow")
	ann := enter(t, address, "ann")
	go func() { _, _ = io.Copy(io.Discard, ann.in) }()
	for range 20_000 { // more than the buffers of a socket
		ann.says(strings.Repeat("x", 1000))
	}
	interrupt()
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "dropped the rest") }, patience, time.Millisecond)
}

// certificate makes files with a certificate for localhost, and a client's configuration.
func certificate(t *testing.T) (cert, key string, client *tls.Config) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return cert, key, &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func TestTheRoomSpeaksTLS(t *testing.T) {
	cert, key, config := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	o := usual()
	o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	address, interrupt, logged := open(t, o)
	c, err := tls.Dial("tcp", address, config)
	g := visit(t, c, err)
	g.says("ann")
	g.hears("* welcome: 1 are here")
	g.says("hello")
	g.hears("<ann> hello")

	plain, err := net.Dial("tcp", address)
	wrong := visit(t, plain, err)
	wrong.says("this is not TLS")
	_, _ = io.ReadAll(wrong.in)
	require.Eventually(t, func() bool {
		return strings.Contains(logged.String(), "first record does not look like a TLS handshake")
	},
		patience, time.Millisecond)

	interrupt()
	assert.Equal(t, "* the room closes\n", g.leaves(), "and then the alert: no unexpected end")
}

// The peer reads nothing, until Write waits, and then sends garbage, which TLS answers with an
// alert. With an ordinary tls.Conn the reading task would wait for the lock of the writing one.
func TestAHostileTLSClientDoesNotStopTheRoom(t *testing.T) {
	cert, key, config := certificate(t)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	o := usual()
	o.backlog = 1_000_000
	o.grace = 50 * time.Millisecond
	o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	address, _, _ := open(t, o)
	raw, err := net.Dial("tcp", address)
	require.NoError(t, err)
	bad := visit(t, tls.Client(raw, config), nil)
	bad.says("bad")
	bad.hears("* welcome")
	good, err := tls.Dial("tcp", address, config)
	g := visit(t, good, err)
	g.says("good")
	g.hears("* welcome")
	go func() {
		for range 20_000 {
			g.says(strings.Repeat("x", 1000))
		}
		g.says("done")
	}()
	g.hears("<good> done")
	_, err = raw.Write([]byte("\x17\x03\x03\x00\x20this is not an encrypted record!!!!!!!!"))
	require.NoError(t, err)
	g.hears("* bad leaves")
}

func TestSIGTERMEndsTheProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM for a process")
	}
	cert, key, config := certificate(t)
	cmd := exec.Command(os.Args[0], "-address", "127.0.0.1:0", "-cert", cert, "-key", key)
	cmd.Env = append(os.Environ(), "CHAT_TEST_MAIN=1")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	out := bufio.NewReader(stderr)
	line, err := out.ReadString('\n')
	require.NoError(t, err)
	found := regexp.MustCompile(`listening on (\S+)`).FindStringSubmatch(line)
	require.NotNil(t, found, line)
	c, err := tls.Dial("tcp", found[1], config)
	g := visit(t, c, err)
	g.says("ann")
	g.hears("* welcome")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, "* the room closes\n", g.leaves())
	_, _ = io.Copy(io.Discard, out)
	assert.NoError(t, cmd.Wait())
}

// A thousand clients, each a task too: all are in the room at the same time, some of them speak,
// and everybody hears every word, in the order in which it was said.
func TestAThousandClients(t *testing.T) {
	const clients, speakers, lines = 1000, 10, 5
	o := usual()
	o.backlog = clients + speakers*lines + 10
	address, _, _ := open(t, o)
	var first []string
	heard := 0
	require.NoError(t, ev.RunTask(context.Background(), func(main *ev.Task) error {
		g := ev.NewGroup(main)
		in, all := 0, ev.NewCond(main.Loop())
		for i := range clients {
			g.Go(func(task *ev.Task) error {
				c, err := evnet.Dial(task, "tcp", address)
				if err != nil {
					return err
				}
				defer c.Close()
				r := bufio.NewReader(c)
				fmt.Fprintf(c, "client%d\n", i)
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return err
					}
					if strings.HasPrefix(line, "* welcome") {
						break
					}
				}
				if in++; in == clients {
					all.Broadcast()
				}
				for in < clients {
					if err := all.Wait(task); err != nil {
						return err
					}
				}
				for n := range lines {
					if i < speakers {
						fmt.Fprintf(c, "line %d\n", n)
					}
				}
				var said []string
				for len(said) < speakers*lines {
					line, err := r.ReadString('\n')
					if err != nil {
						return err
					}
					if strings.HasPrefix(line, "<") {
						said = append(said, line)
					}
				}
				if first == nil {
					first = said
				}
				assert.Equal(t, first, said, "one order for all")
				heard += len(said)
				return nil
			})
		}
		return main.Within(5*patience, g.Wait)
	}))
	assert.Equal(t, clients*speakers*lines, heard)
}
