//go:build linux || darwin

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// warmup is the time at the beginning in which echoes are not counted.
const warmup = 200 * time.Millisecond

// measure starts the server, loads it with n clients, and ends it.
func measure(name string, at place, n int, d time.Duration) (cell, error) {
	self, err := os.Executable()
	if err != nil {
		return cell{}, err
	}
	server := at.command(self)
	server.Env = append(os.Environ(), serverEnv+"="+name)
	if name == "libev" {
		program, err := buildLibev()
		if err != nil {
			return cell{}, err
		}
		server.Env = append(server.Env, programEnv+"="+program)
	}
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
	latencies, total, err := drive(out, n, d)
	err = errors.Join(err, quit.Close(), server.Wait())
	if err != nil {
		return cell{}, err
	}
	if len(latencies) == 0 {
		return cell{}, errors.New("not one echo came in time")
	}
	slices.Sort(latencies)
	quantile := func(q float64) float64 {
		return micros(latencies[int(q*float64(len(latencies)-1))])
	}
	used := server.ProcessState.UserTime() + server.ProcessState.SystemTime()
	return cell{
		rate: float64(len(latencies)) / d.Seconds(),
		p50:  quantile(0.50),
		p99:  quantile(0.99),
		cpu:  micros(used) / float64(total),
	}, nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// drive returns the latencies of the echoes that were completed after the
// warm-up, and the number of all echoes.
func drive(out io.Reader, n int, d time.Duration) (latencies []time.Duration, total int, err error) {
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, 0, fmt.Errorf("the server did not start: %w", err)
	}
	conns := make([]net.Conn, n)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", strings.TrimSpace(addr)); err != nil {
			return nil, 0, err
		}
		defer conns[i].Close()
	}
	var (
		working sync.WaitGroup
		each    = make([][]time.Duration, n)
		totals  = make([]int, n)
		errs    = make([]error, n)
		from    = time.Now().Add(warmup)
	)
	for i, conn := range conns {
		working.Go(func() { each[i], totals[i], errs[i] = client(conn, i, from, from.Add(d)) })
	}
	working.Wait()
	for i := range totals {
		total += totals[i]
	}
	return slices.Concat(each...), total, errors.Join(errs...)
}

func client(conn net.Conn, i int, from, to time.Time) (latencies []time.Duration, total int, err error) {
	_ = conn.SetDeadline(to.Add(10 * time.Second))
	message := bytes.Repeat([]byte{byte(i)}, messageSize)
	got := make([]byte, messageSize)
	for start := time.Now(); start.Before(to); {
		if _, err := conn.Write(message); err != nil {
			return nil, 0, err
		}
		if _, err := io.ReadFull(conn, got); err != nil {
			return nil, 0, err
		}
		total++
		end := time.Now()
		if start.After(from) && end.Before(to) {
			latencies = append(latencies, end.Sub(start))
		}
		start = end
	}
	if !bytes.Equal(got, message) {
		return nil, 0, errors.New("the echo is another one's")
	}
	return latencies, total, nil
}
