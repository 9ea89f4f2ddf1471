package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	requestRate = 1000 // per second, of all clients together
	clients     = 16
	warmUp      = 500 * time.Millisecond
	answerTime  = 10 * time.Second
)

// measure runs one contestant in a process of its own, and loads it for d.
func measure(name string, d time.Duration) (c cell, err error) {
	self, err := os.Executable()
	if err != nil {
		return c, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d+6*answerTime)
	defer cancel()
	process := exec.CommandContext(ctx, self)
	process.Env = append(os.Environ(), serverEnv+"="+name)
	process.Stderr = os.Stderr
	quit, err := process.StdinPipe()
	if err != nil {
		return c, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return c, err
	}
	if err := process.Start(); err != nil {
		return c, err
	}
	lines := bufio.NewReader(out)
	latencies, err := load(lines, d)
	err = errors.Join(err, quit.Close())
	if err == nil {
		err = json.NewDecoder(lines).Decode(&c.did)
	}
	if err := errors.Join(err, process.Wait()); err != nil {
		return c, err
	}
	slices.Sort(latencies)
	at := func(q float64) time.Duration { return latencies[int(q*float64(len(latencies)-1))] }
	c.p50, c.p99, c.p999 = at(0.5), at(0.99), at(0.999)
	return c, nil
}

// load loads the server whose address comes first in lines.
func load(lines *bufio.Reader, d time.Duration) ([]time.Duration, error) {
	addr, err := lines.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the server did not tell its address: %w", err)
	}
	url := "http://" + strings.TrimSpace(addr) + "/"
	if _, err := request(url, warmUp); err != nil {
		return nil, err
	}
	return request(url, d)
}

// request makes requests at the fixed rate, and returns their latencies.
func request(url string, d time.Duration) ([]time.Duration, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}, Timeout: answerTime}
	defer client.CloseIdleConnections()
	var (
		working sync.WaitGroup
		found   [clients][]time.Duration
		errs    [clients]error
	)
	const apart = time.Second * clients / requestRate
	began := time.Now()
	for i := range clients {
		working.Go(func() {
			first := began.Add(apart * time.Duration(i) / clients)
			for turn := first; turn.Sub(began) < d && errs[i] == nil; turn = turn.Add(apart) {
				from := turn // of one that waits for the answer before
				if early := time.Until(turn); early > 0 {
					time.Sleep(early)
					from = time.Now() // a sleep that was too long is not the server's fault
				}
				errs[i] = get(client, url)
				found[i] = append(found[i], time.Since(from))
			}
		})
	}
	working.Wait()
	return slices.Concat(found[:]...), errors.Join(errs[:]...)
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
