// Command hub measures servers that send each line of a client to all clients:
// a task per connection with a plain map, and the usual hub of goroutines with
// a mutex and channels.
//
//	go run -C bench ./hub
//
// Each server is a process of its own, new for each measurement. Some of the
// clients speak: each sends a line, waits until it hears it, and sends the
// next. The others only read. The client is this process, the same for both
// servers, and shares the machine's cores with them. The latency is that of a
// speaker's own line. The figures are medians of the rounds.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// serverEnv is the environment variable that makes this process a server. Its
// value is the server's name.
const serverEnv = "EV_BENCH_HUB_SERVER"

func main() {
	var err error
	if name := os.Getenv(serverEnv); name != "" {
		err = serve(name)
	} else {
		err = run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

func run(out io.Writer) error {
	d := flag.Duration("d", 2*time.Second, "measure for this `time`")
	rounds := flag.Int("rounds", 5, "make so `many` rounds")
	clients := flag.Int("clients", 1000, "the `number` of clients")
	speakers := flag.Int("speakers", 10, "how `many` of them speak")
	only := flag.String("only", "", "measure this `server` once and print CPU time, p50, p99 and lines/s")
	flag.Parse()
	if flag.NArg() > 0 || *d <= 0 || *rounds < 1 || *speakers < 1 || *clients < *speakers {
		return errors.New("-d, -rounds and -speakers must be positive, -clients at least -speakers, and there are no arguments")
	}
	if *only != "" {
		c, err := measure(*only, *clients, *speakers, *d)
		fmt.Fprintln(out, c.cpu, c.p50, c.p99, c.lines)
		return err
	}
	fmt.Fprintf(out, "%s, %s/%s, %d CPUs; %d clients, %d of which speak; %d rounds of %v\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *clients, *speakers, *rounds, *d)
	fmt.Fprintln(out, "| server | lines/s | lines sent/s | p50 ms | p99 ms | server CPU µs/line sent |")
	fmt.Fprintln(out, "|---|--:|--:|--:|--:|--:|")
	cells := make([][]cell, len(servers))
	for round := range *rounds {
		for i := range servers {
			i = (i + round) % len(servers)
			c, err := measure(servers[i].name, *clients, *speakers, *d)
			if err != nil {
				return fmt.Errorf("%s: %w", servers[i].name, err)
			}
			cells[i] = append(cells[i], c)
		}
	}
	for i, s := range servers {
		at := func(of func(cell) float64) float64 { return median(cells[i], of) }
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %.2f | %.2f | %.2f |\n", s.name,
			at(func(c cell) float64 { return c.lines }), at(func(c cell) float64 { return c.sent }),
			at(func(c cell) float64 { return c.p50 }), at(func(c cell) float64 { return c.p99 }),
			at(func(c cell) float64 { return c.cpu }))
	}
	return nil
}

// cell is one measurement of a server.
type cell struct {
	lines    float64 // per second
	sent     float64 // lines that clients have heard, per second
	p50, p99 float64 // milliseconds
	cpu      float64 // the server's, in microseconds per line sent
}

func median(cells []cell, of func(cell) float64) float64 {
	values := make([]float64, len(cells))
	for i, c := range cells {
		values[i] = of(c)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// measure starts the server, has clients speak and listen, and ends it.
func measure(name string, clients, speakers int, d time.Duration) (cell, error) {
	self, err := os.Executable()
	if err != nil {
		return cell{}, err
	}
	server := exec.Command(self)
	server.Env = append(os.Environ(), serverEnv+"="+name)
	server.Stderr = os.Stderr
	quit, err := server.StdinPipe()
	if err != nil {
		return cell{}, err
	}
	out, err := server.StdoutPipe()
	if err != nil {
		return cell{}, err
	}
	if err := server.Start(); err != nil {
		return cell{}, err
	}
	latencies, heard, err := drive(out, clients, speakers, d)
	if err = errors.Join(err, quit.Close(), server.Wait()); err != nil {
		return cell{}, err
	}
	if len(latencies) == 0 {
		return cell{}, errors.New("no speaker heard itself")
	}
	slices.Sort(latencies)
	at := func(q float64) float64 { return latencies[int(q*float64(len(latencies)-1))].Seconds() * 1000 }
	used := server.ProcessState.UserTime() + server.ProcessState.SystemTime()
	return cell{
		lines: float64(len(latencies)) / d.Seconds(),
		sent:  float64(heard) / d.Seconds(),
		p50:   at(0.50),
		p99:   at(0.99),
		cpu:   used.Seconds() * 1e6 / float64(heard),
	}, nil
}

// drive returns the latencies of the lines that were spoken, and how many lines
// all clients have heard. Each client must hear each line.
func drive(out io.Reader, clients, speakers int, d time.Duration) (latencies []time.Duration, heard int64, err error) {
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, 0, fmt.Errorf("the server did not start: %w", err)
	}
	conns := make([]net.Conn, clients)
	readers := make([]*bufio.Reader, clients)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", strings.TrimSpace(addr)); err != nil {
			return nil, 0, err
		}
		defer conns[i].Close()
		_ = conns[i].SetDeadline(time.Now().Add(d + 20*time.Second))
		readers[i] = bufio.NewReader(conns[i])
		if _, err := readers[i].ReadString('\n'); err != nil { // it is in the room
			return nil, 0, err
		}
	}
	var (
		lines, total atomic.Int64
		each         = make([][]time.Duration, speakers)
		errs         = make([]error, clients)
		until        = time.Now().Add(d)
		speaking     sync.WaitGroup
		listening    sync.WaitGroup
	)
	listening.Add(clients)
	speaking.Add(speakers)
	for i := range clients {
		own := make(chan struct{}, 1)
		go func() {
			defer listening.Done()
			defer close(own)
			errs[i] = listen(readers[i], fmt.Sprintf("speaker %d\n", i), own, &total)
		}()
		if i < speakers {
			go func() {
				defer speaking.Done()
				line := fmt.Appendf(nil, "speaker %d\n", i)
				for start := time.Now(); start.Before(until); start = time.Now() {
					lines.Add(1)
					if _, err := conns[i].Write(line); err != nil {
						return
					}
					<-own
					each[i] = append(each[i], time.Since(start))
				}
			}()
		}
	}
	speaking.Wait()
	for deadline := time.Now().Add(10 * time.Second); total.Load() < lines.Load()*int64(clients); {
		if time.Now().After(deadline) {
			return nil, 0, fmt.Errorf("%d lines heard by all, not %d times %d", total.Load(), lines.Load(), clients)
		}
		time.Sleep(time.Millisecond)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	listening.Wait()
	return slices.Concat(each...), total.Load(), errors.Join(errs...)
}

// listen counts lines until the connection is closed here, and reports its own.
func listen(r *bufio.Reader, line string, own chan<- struct{}, heard *atomic.Int64) error {
	for {
		got, err := r.ReadSlice('\n')
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		heard.Add(1)
		if string(got) == line {
			own <- struct{}{}
		}
	}
}
