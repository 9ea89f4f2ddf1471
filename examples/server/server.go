package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/goevlib/ev"
)

// server has the handlers, the ledger, and the loop between them. Its methods must be called on the
// loop's goroutine: before Run, that is the goroutine that sets the server up.
type server struct {
	loop     *ev.Loop
	listener net.Listener
	http     *http.Server
	handlers *handlers
	ledger   *ledger
	records  *ev.Queue[record] // from the handlers to the ledger

	quit        func() // called at the first SIGINT or SIGTERM
	interrupted bool   // it was called
	draining    bool
	finished    bool
	err         error // the error of run
}

func newServer(loop *ev.Loop, addr, logPath string) (*server, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	log, err := openLog(logPath)
	if err != nil {
		listener.Close()
		return nil, err
	}
	s := &server{loop: loop, listener: listener, ledger: newLedger(log)}
	s.quit = s.drain
	// No limit: while the disk stalls, records take memory and are not lost. With a
	// limit, Send would return ErrFull, and the handler would decide.
	s.records = ev.NewQueue(loop, 0, s.ledger.take, ev.Name("request records"))
	s.handlers = newHandlers(loop, s.records, s.ledger)
	s.http = &http.Server{
		Handler: s.handlers,
		// Every wait for a client must end, or drain would not.
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   10 * time.Second,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
	return s, s.start()
}

// hangup is syscall.SIGHUP by its number: GOOS=js has no signals and lacks the name.
const hangup = syscall.Signal(1)

func (s *server) start() error {
	s.records.Start()
	ev.NewTimer(s.loop, time.Second, time.Second, s.ledger.tick, ev.Name("access log flush")).Start()
	for sig, fn := range map[os.Signal]func(*ev.Signal){
		hangup:          s.ledger.rotate,
		syscall.SIGINT:  s.interrupt,
		syscall.SIGTERM: s.interrupt,
	} {
		if err := ev.NewSignal(s.loop, sig, fn, ev.Name(sig.String())).Start(); err != nil {
			return err
		}
	}
	// Serve blocks, so it has a goroutine of its own. Its end is a callback.
	ev.Go(s.loop, func() (any, error) { return nil, s.http.Serve(s.listener) }, s.served)
	return nil
}

// run runs the loop until finish is called.
func (s *server) run() error {
	return errors.Join(s.loop.Run(context.Background()), s.err)
}

func (s *server) served(_ any, err error) {
	if !errors.Is(err, http.ErrServerClosed) { // else it is the result of Shutdown
		s.err = err
		s.drain()
	}
}

func (s *server) interrupt(sig *ev.Signal) {
	if s.interrupted {
		s.finish(fmt.Errorf("second signal (%v): not all requests were answered", sig.Signal()))
		return
	}
	s.interrupted = true
	fmt.Fprintf(os.Stderr, "server: %v: draining; a second signal ends it at once\n", sig.Signal())
	s.quit()
}

// drain ends the server without losing a record. The order matters:
//
//  1. Shutdown accepts no new requests and waits for the requests in progress. It waits on another
//     goroutine: the loop goes on to take records and to answer /stats.
//  2. handlers.close waits for requests that Shutdown has missed. After that no record is sent.
//  3. finish, back on the loop, finds every record in the queue or the ledger.
func (s *server) drain() {
	if s.draining {
		return
	}
	s.draining = true
	ev.Go(s.loop, func() (any, error) {
		err := s.http.Shutdown(context.Background())
		s.handlers.close()
		return nil, err
	}, func(_ any, err error) { s.finish(err) })
}

// finish writes all records and ends Run.
func (s *server) finish(err error) {
	if s.finished {
		return
	}
	s.finished = true
	// The queue's callback may not have run yet: there is no order between Queue.Send
	// and Post or Go. Invoke makes the callback now, with all sent records.
	s.records.Invoke(ev.AsyncEvent)
	s.records.Stop()
	s.err = errors.Join(s.err, err, s.ledger.log.close())
	s.loop.Stop()
}

// url returns the URL of the server. If it listens on all addresses, that is localhost.
func (s *server) url() string {
	addr := s.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", addr.Port)
	}
	return "http://" + addr.String()
}
