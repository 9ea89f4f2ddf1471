// Command newcomer is the input of the analyzer's test with the mistakes of a newcomer in one
// program: rooms, messages to them, and a page.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

type Message struct {
	From, Text string
	At         time.Time
}

type Room struct {
	name    string
	members map[string]chan string
	idle    *ev.Timer
	history []Message
}

type Server struct {
	loop     *ev.Loop
	rooms    map[string]*Room
	inbox    *ev.Queue[Message]
	stats    *ev.Timer
	hup      *ev.Signal
	reload   *ev.Async
	pending  []Message
	wg       sync.WaitGroup
	quit     chan struct{}
	mu       sync.Mutex
	archive  [][]Message
	upstream string
}

func NewServer(loop *ev.Loop) *Server {
	s := &Server{loop: loop, rooms: map[string]*Room{}, quit: make(chan struct{}), upstream: "http://localhost:1"}
	s.inbox = ev.NewQueue(loop, 1000, s.onMessages)
	s.inbox.Start()
	s.stats = ev.NewTimer(loop, time.Second, time.Second, func(*ev.Timer) { s.report() }) // want `this Timer is never started`
	s.hup = ev.NewSignal(loop, os.Interrupt, func(*ev.Signal) { s.shutdown() })           // want `sync\.WaitGroup\.Wait in s\.shutdown .newcomer.go:\d+. blocks`
	s.hup.Start()                                                                         // want `the error of Signal\.Start is dropped`
	s.reload = ev.NewAsync(loop, func(*ev.Async) { s.loadConfig() })                      // want `http\.Get in s\.loadConfig .newcomer.go:\d+. blocks`
	s.reload.Start()
	return s
}

func (s *Server) onMessages(q *ev.Queue[Message], batch []Message) {
	s.pending = batch // want `the Queue uses the memory of the batch again after the callback`
	for _, m := range batch {
		s.deliver(m)
	}
}

func (s *Server) deliver(m Message) {
	r := s.room(m.From)
	r.history = append(r.history, m)
	r.idle.Reset() // want `Reset stops a Timer that does not repeat`
	for _, ch := range r.members {
		ch <- m.Text
	}
}

func (s *Server) room(name string) *Room {
	r := s.rooms[name]
	if r == nil {
		r = &Room{name: name, members: map[string]chan string{}}
		r.idle = ev.NewTimer(s.loop, time.Minute, 0, func(*ev.Timer) { delete(s.rooms, name) })
		r.idle.Start()
		s.rooms[name] = r
	}
	return r
}

func (s *Server) handlePost(w http.ResponseWriter, r *http.Request) {
	var m Message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	s.deliver(m) // want `s\.deliver calls Timer\.Start`
}

func (s *Server) handleClose(w http.ResponseWriter, r *http.Request) {
	if room, ok := s.rooms[r.FormValue("room")]; ok {
		room.idle.Stop() // want `Timer\.Stop must be called on the loop's goroutine`
	}
}

func (s *Server) loadConfig() {
	resp, err := http.Get(s.upstream)
	if err != nil {
		log.Print(err)
		return
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
}

func (s *Server) report() {
	fmt.Println("rooms", len(s.rooms))
}

func (s *Server) shutdown() {
	close(s.quit)
	s.wg.Wait()
	s.loop.Stop()
}

func (s *Server) readLoop(c net.Conn) {
	defer s.wg.Done()
	sc := bufio.NewScanner(c)
	for sc.Scan() {
		s.inbox.Send(Message{From: c.RemoteAddr().String(), Text: sc.Text()})
		s.stats.Stop() // want `Timer\.Stop must be called on the loop's goroutine`
	}
}

func (s *Server) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		s.wg.Add(1)
		go s.readLoop(c)
	}
}

func (s *Server) flusher(t *ev.Task) error {
	for {
		s.mu.Lock()
		n := len(s.archive)
		if err := t.Sleep(time.Second); err != nil { // want `t\.Sleep waits while s\.mu is locked`
			s.mu.Unlock()
			return err
		}
		s.archive = s.archive[n:]
		s.mu.Unlock()
	}
}

func (s *Server) kickLater(name string) {
	time.AfterFunc(time.Minute, func() {
		r := s.rooms[name]
		r.idle.Stop() // want `Timer\.Stop must be called on the loop's goroutine`
	})
}

func (s *Server) count() int {
	n, _ := ev.Call(context.Background(), s.loop, func() (int, error) { return len(s.rooms), nil })
	return n
}

func main() {
	loop, err := ev.New()
	if err != nil {
		log.Fatal(err)
	}
	defer loop.Close()
	s := NewServer(loop)
	http.HandleFunc("/post", s.handlePost)
	http.HandleFunc("/close", s.handleClose)
	go http.ListenAndServe(":8080", nil)
	ln, err := net.Listen("tcp", ":7000")
	if err != nil {
		log.Fatal(err)
	}
	go s.accept(ln)
	ev.Spawn(loop, s.flusher)
	s.kickLater("x")
	s.wg.Go(func() {
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, os.Interrupt)
		<-ch
		s.reload.Stop() // want `Async\.Stop must be called on the loop's goroutine`
	})
	loop.Post(func() {
		time.Sleep(100 * time.Millisecond) // want `time\.Sleep blocks`
		fmt.Println(s.count())             // want `ev\.Call in s\.count .newcomer.go:\d+. blocks`
	})
	ev.Go(loop, func() (int, error) {
		s.stats.SetRepeat(2 * time.Second) // want `Timer\.SetRepeat must be called on the loop's goroutine`
		return loop.Active(), nil          // want `Loop\.Active must be called on the loop's goroutine`
	}, func(n int, err error) { fmt.Println(n) })
	ev.Spawn(loop, func(t *ev.Task) error {
		<-s.quit // want `a receive from a channel blocks`
		_, err := ev.Await(t, func(ctx context.Context) (int, error) {
			t.SetData("working") // want `Task\.SetData must be called on the loop's goroutine`
			return 1, nil
		})
		return err
	})
	loop.Run(context.Background())
}
