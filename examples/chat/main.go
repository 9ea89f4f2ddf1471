// Command chat is a chat room for nc and telnet: everybody hears what is said.
//
//	go run ./examples/chat -address :7000
//	nc localhost 7000
//
// The first line of a client is its name. Later lines are said in the room, and "/who" and
// "/quit" are commands. Each connection is a task that reads, with a second one that writes. The
// room is a map that all of them use, without a lock: they run on one goroutine.
//
// A client that says nothing for -idle is sent away. A client that does not read what it is sent
// is dropped as soon as -backlog lines wait for it, so it costs the others nothing. SIGINT and
// SIGTERM end the room: no new client comes in, and each gets the lines that wait for it, within
// -grace. The second signal ends the program at once. With -cert and -key the room speaks TLS:
//
//	openssl s_client -quiet -connect localhost:7000
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evnet"
)

func main() {
	o, address, err := parse()
	if err == nil {
		err = listenAndServe(o, address)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "chat: %v\n", err)
		os.Exit(1)
	}
}

func parse() (options, string, error) {
	var o options
	address := flag.String("address", "localhost:7000", "listen on this `host:port`")
	flag.DurationVar(&o.idle, "idle", 10*time.Minute, "send a client away after this `time` without a line")
	flag.DurationVar(&o.grace, "grace", 5*time.Second, "give clients this `time` at the end")
	flag.IntVar(&o.backlog, "backlog", 256, "drop a client for which so many `lines` wait")
	cert := flag.String("cert", "", "speak TLS, with the certificates of this `file`")
	key := flag.String("key", "", "the `file` with the key of the certificate")
	flag.Parse()
	if o.backlog < 1 {
		return o, "", errors.New("-backlog must be positive")
	}
	if *cert != "" || *key != "" {
		pair, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return o, "", err
		}
		o.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	o.log = log.New(os.Stderr, "chat: ", log.LstdFlags)
	return o, *address, nil
}

func listenAndServe(o options, address string) error {
	return ev.RunTask(context.Background(), func(t *ev.Task) error {
		ln, err := evnet.Listen(t.Loop(), "tcp", address)
		if err != nil {
			return err
		}
		defer ln.Close()
		s := newServer(t, ln, o)
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			quit := ev.NewSignal(t.Loop(), sig, func(*ev.Signal) { s.interrupt() })
			if err := quit.Start(); err != nil {
				return err
			}
		}
		o.log.Printf("listening on %v", ln.Addr())
		err = s.serve()
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			o.log.Print("the rest of the clients are dropped")
			return nil
		}
		return err
	}, ev.WithName("chat"))
}

type options struct {
	idle    time.Duration
	grace   time.Duration
	backlog int // in lines
	tls     *tls.Config
	log     *log.Logger
}

// server accepts the connections.
type server struct {
	options
	task    *ev.Task
	ln      net.Listener
	group   *ev.Group // of the connections
	room    room
	clients map[*client]bool // clients without a name included
	ending  bool
}

func newServer(t *ev.Task, ln net.Listener, o options) *server {
	return &server{options: o, task: t, ln: ln, group: ev.NewGroup(t), room: room{}, clients: map[*client]bool{}}
}

// serve returns when the room has ended, and all clients are gone.
func (s *server) serve() error {
	for {
		c, err := s.ln.Accept()
		switch {
		case err == nil:
			s.group.Go(func(t *ev.Task) error {
				s.welcome(t, c)
				return nil // an error of one connection is no reason to stop the others
			})
		case s.ending && errors.Is(err, net.ErrClosed):
			return s.task.Within(s.grace, s.group.Wait)
		case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
			s.log.Print(err)
			if err := s.task.Sleep(100 * time.Millisecond); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// interrupt ends the room, the second time at once.
func (s *server) interrupt() {
	if s.ending {
		s.task.Stop()
		return
	}
	s.ending = true
	_ = s.ln.Close()
	for c := range s.clients {
		c.hear("* the room closes")
		c.out.Close()
	}
}
