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

const (
	// clientEnv has the address of the server that the process must load.
	clientEnv   = "EV_BENCH_HTTP_CLIENT"
	clientCount = 32
	httpWarmup  = 200 * time.Millisecond
)

// The clients run in a process of their own, so that the server's process has
// only a server's goroutines. That process is this executable, the command or a
// test, with clientEnv in its environment.
func init() {
	addr := os.Getenv(clientEnv)
	if addr == "" {
		return
	}
	answered, err := clients(addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "clients:", err)
		os.Exit(1)
	}
	fmt.Println(answered)
	os.Exit(0)
}

// clients keep the server busy until standard input ends. They return the
// number of its answers.
func clients(addr string) (answered int64, err error) {
	var stop atomic.Bool
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clientCount}, Timeout: answerTime}
	var (
		working sync.WaitGroup
		count   atomic.Int64
		errs    = make([]error, clientCount)
	)
	for i := range errs {
		working.Go(func() {
			for !stop.Load() && errs[i] == nil {
				if errs[i] = get(client, "http://"+addr+"/"); errs[i] == nil {
					count.Add(1)
				}
			}
		})
	}
	working.Wait()
	return count.Load(), errors.Join(errs...)
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

// underHTTP measures in a web server whose handlers compute a little, wake the
// receiver and answer.
func underHTTP(w way, quick bool) ([]float64, error) {
	b := newBox()
	send, end, err := w.open(b.answer)
	if err != nil {
		return nil, err
	}
	var handled atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		compute(between(0, 500*time.Microsecond))
		b.stamp()
		send()
		handled.Add(1)
		_, _ = io.WriteString(rw, "done\n")
	})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	d := shorter(2*time.Second, quick)
	var rate float64
	answered, err := underClients(l.Addr().String(), func() {
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

// underClients calls measure while the clients load the server, and returns how
// many answers they got.
func underClients(addr string, measure func()) (answered int64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	process := exec.Command(self)
	process.Env = append(os.Environ(), clientEnv+"="+addr)
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
