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

// server is the two halves, the handlers and the ledger, and the loop between
// them. All its methods run on the loop's goroutine: before Run that is the one
// that sets it up, then they are callbacks.
type server struct {
	loop     *ev.Loop
	listener net.Listener
	http     *http.Server
	handlers *handlers
	ledger   *ledger
	records  *ev.Queue[record] // from the handlers to the ledger

	quit        func() // what the first SIGINT or SIGTERM does
	interrupted bool   // there was one
	draining    bool
	finished    bool
	err         error // why it finished; nil when all went well
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
	// No limit: when the disk stalls, records take memory rather than get lost.
	// With a limit, Send would answer ErrFull, for the handler to decide.
	s.records = ev.NewQueue(loop, 0, s.ledger.take, ev.Name("request records"))
	s.handlers = newHandlers(loop, s.records, s.ledger)
	s.http = &http.Server{
		Handler: s.handlers,
		// Every wait for a client ends, so that a drain does.
		ReadTimeout:    10 * time.Second,
		WriteTimeout:   10 * time.Second,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 16 << 10,
	}
	return s, s.start()
}

// hangup is syscall.SIGHUP by its number: js, where no signal ever comes, lacks
// the name.
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
	// Serve blocks, so it has a goroutine of its own; that it ends is a callback.
	ev.Go(s.loop, func() (any, error) { return nil, s.http.Serve(s.listener) }, s.served)
	return nil
}

// run returns when finish was called.
func (s *server) run() error {
	return errors.Join(s.loop.Run(context.Background()), s.err)
}

func (s *server) served(_ any, err error) {
	if !errors.Is(err, http.ErrServerClosed) { // which is Shutdown's doing
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

// drain ends the server with nothing lost. The order is all:
//
//  1. Shutdown takes no new requests and waits for those under way. It waits
//     elsewhere: the loop goes on to take records and to answer /stats.
//  2. Closing the handlers waits for those that Shutdown has overlooked. From
//     then on no record is sent.
//  3. So finish, back on the loop, finds every record in the queue or the ledger.
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

// finish writes what there is and ends Run.
func (s *server) finish(err error) {
	if s.finished {
		return
	}
	s.finished = true
	// Do not count on the queue's callback having run: nothing orders what the
	// loop gets by Queue.Send and what it gets by Post or Go. Invoke makes the
	// callback now, with all that was sent.
	s.records.Invoke(ev.AsyncEvent)
	s.records.Stop()
	s.err = errors.Join(s.err, err, s.ledger.log.close())
	s.loop.Stop()
}

// url is where to find the server. An address that means "all of this machine's"
// is not one to connect to.
func (s *server) url() string {
	addr := s.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://localhost:%d", addr.Port)
	}
	return "http://" + addr.String()
}
