package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clientEnv has the load that the process must make: the server's address, the
// number of clients, and their requests per second.
const clientEnv = "EV_BENCH_HTTP_CLIENT"

const httpWarmup = 200 * time.Millisecond

// load is what a web server is asked for. Each client has a connection of its
// own, and makes one request at a time.
type load struct {
	clients int
	rate    int // requests per second of all clients together; 0: as many as they can
}

// The clients run in a process of their own, so that the server's process has
// only a server's goroutines. That process is this executable, the command or a
// test, with clientEnv in its environment.
func init() {
	asked := os.Getenv(clientEnv)
	if asked == "" {
		return
	}
	var addr string
	var ld load
	_, err := fmt.Sscan(asked, &addr, &ld.clients, &ld.rate)
	var answered int64
	if err == nil {
		answered, err = ld.make(addr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
	fmt.Println(answered)
	os.Exit(0)
}

// make makes the requests until standard input ends. It returns the number of
// answers.
func (ld load) make(addr string) (answered int64, err error) {
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: ld.clients}, Timeout: answerTime}
	var (
		working sync.WaitGroup
		count   atomic.Int64
		errs    = make([]error, ld.clients)
	)
	for i := range errs {
		working.Go(func() {
			for wait := ld.turns(); errs[i] == nil && !stop.Load(); wait() {
				if errs[i] = get(client, "http://"+addr+"/"); errs[i] == nil {
					count.Add(1)
				}
			}
		})
	}
	working.Wait()
	return count.Load(), errors.Join(errs...)
}

// turns returns a function that waits for a client's next turn. Turns come at
// random, at the client's share of the rate.
func (ld load) turns() (wait func()) {
	if ld.rate == 0 {
		return func() {}
	}
	apart := time.Second * time.Duration(ld.clients) / time.Duration(ld.rate)
	turn := time.Now()
	return func() {
		turn = turn.Add(between(0, 2*apart))
		time.Sleep(time.Until(turn))
	}
}

func get(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// underHTTP measures in a web server whose handlers call before, wake the
// receiver, call after, and answer.
func underHTTP(ld load, before, after func()) measurement {
	return func(w way, quick bool) ([]float64, error) {
		b := newBox()
		send, end, err := w.open(b.answer)
		if err != nil {
			return nil, err
		}
		var handled atomic.Int64
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			before()
			b.stamp()
			send()
			after()
			handled.Add(1)
			_, _ = io.WriteString(rw, "done\n")
		})}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(l) }()

		d := shorter(time.Second, quick)
		var rate float64
		answered, err := ld.during(l.Addr().String(), func() {
			time.Sleep(httpWarmup)
			b.forget()
			began, before := time.Now(), handled.Load()
			time.Sleep(d)
			rate = float64(handled.Load()-before) / time.Since(began).Seconds()
		})
		if err != nil {
			return nil, err
		}
		if answered != handled.Load() {
			return nil, fmt.Errorf("the server handled %d requests, the clients had %d answers", handled.Load(), answered)
		}
		if err := server.Close(); err != nil {
			return nil, err
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			return nil, err
		}
		values, err := finish(b, end)
		if err != nil {
			return nil, err
		}
		return append(values, rate), nil
	}
}

// during calls measure while the clients load the server, and returns how many
// answers they got.
func (ld load) during(addr string, measure func()) (answered int64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	process := exec.Command(self)
	process.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %d", clientEnv, addr, ld.clients, ld.rate))
	process.Stderr = os.Stderr
	quit, err := process.StdinPipe()
	if err != nil {
		return 0, err
	}
	var out strings.Builder
	process.Stdout = &out
	if err := process.Start(); err != nil {
		return 0, err
	}
	measure()
	if err := errors.Join(quit.Close(), process.Wait()); err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
}
