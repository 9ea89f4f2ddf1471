package wake_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// proxy stands between a client and its server. It can lose all messages that
// the client publishes, or all wake-ups that the client gets.
type proxy struct {
	listener             net.Listener
	server               string
	toServer, fromServer loss

	mu    sync.Mutex
	conns []net.Conn
	ended sync.WaitGroup
}

// loss is the loss in one direction.
type loss struct {
	on    atomic.Bool
	count atomic.Int64
}

func newProxy(t *testing.T, url string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{listener: listener, server: strings.TrimPrefix(url, "nats://")}
	p.ended.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.cut()
		p.ended.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// cut breaks all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.ended.Go(func() { relay(server, client, "PUB ", &p.toServer) })
		p.ended.Go(func() { relay(client, server, "MSG ev.wake.", &p.fromServer) })
	}
}

// relay works by lines. Messages carry no data, so each is two lines, the
// second one empty.
func relay(to, from net.Conn, message string, l *loss) {
	defer to.Close()
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if l.on.Load() && strings.HasPrefix(line, message) {
			_, _ = lines.ReadString('\n')
			l.count.Add(1)
			continue
		}
		if _, err := io.WriteString(to, line); err != nil {
			return
		}
	}
}
