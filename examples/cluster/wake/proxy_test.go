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

// proxy stands between a client and its server, and loses the messages that it is
// told to: all that the client publishes, or the wake-ups that it gets.
type proxy struct {
	listener             net.Listener
	server               string
	toServer, fromServer loss

	mu    sync.Mutex
	conns []net.Conn
	ended sync.WaitGroup
}

// loss is that of one direction.
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

// cut breaks all connections there are.
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

// relay goes by lines: messages carry nothing, and so are two, one of them empty.
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
