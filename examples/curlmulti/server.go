//go:build cgo

package main

import (
	"bufio"
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
)

// serverEnv makes the program the server.
const serverEnv = "EV_EXAMPLE_CURLMULTI_SERVER"

// server is the server's process, seen from its parent.
type server struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
}

// startServer starts this program once more and reads the address on which it
// listens.
func startServer() (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(self)}
	s.cmd.Env = append(os.Environ(), serverEnv+"=1")
	s.cmd.Stderr = os.Stderr
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not say where it listens: %w", err), s.stop())
	}
	s.url = strings.TrimSuffix(line, "\n")
	return s, nil
}

// stop ends the server's standard input, and with it the server.
func (s *server) stop() error {
	_ = s.stdin.Close()
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server: %w", err)
	}
	return nil
}

// serve is the main function of the server's process. It returns when its input
// ends: the parent has closed it or has ended.
func serve(in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g := &gate{open: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /body/{id}/{size}", g.body)
	mux.HandleFunc("GET /lift", g.lift)
	fmt.Fprintf(out, "http://%v\n", listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = listener.Close()
	}()
	if err := http.Serve(listener, mux); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// gate holds all bodies after their first piece until it is lifted.
type gate struct {
	mu   sync.Mutex
	held int
	open chan struct{}
}

// pieces is the number of parts in which a body is sent.
const pieces = 8

func (g *gate) body(w http.ResponseWriter, r *http.Request) {
	id, idErr := strconv.Atoi(r.PathValue("id"))
	size, sizeErr := strconv.Atoi(r.PathValue("size"))
	if err := errors.Join(idErr, sizeErr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	body := content(id, size)
	piece := (size + pieces - 1) / pieces
	g.count(1) // before the client can receive it
	defer g.count(-1)
	if !send(w, body[:piece]) {
		return
	}
	select {
	case <-g.open:
	case <-r.Context().Done():
		return
	}
	for rest := body[piece:]; len(rest) > 0; {
		n := min(piece, len(rest))
		if !send(w, rest[:n]) {
			return
		}
		rest = rest[n:]
	}
}

func send(w http.ResponseWriter, piece []byte) bool {
	_, err := w.Write(piece)
	return err == nil && http.NewResponseController(w).Flush() == nil
}

func (g *gate) count(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held += n
}

// lift answers with the number of held bodies.
func (g *gate) lift(w http.ResponseWriter, _ *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fmt.Fprint(w, g.held)
	close(g.open)
}

// content returns the body for a number. Both sides can distinguish it from the
// others.
func content(id, size int) []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i*7 ^ i>>8 ^ id ^ id>>8)
	}
	return body
}
