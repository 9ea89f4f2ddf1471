// Package server runs a redis-server process on a Unix socket in a directory of its own.
package server

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Server is a running redis-server.
type Server struct {
	Address string // the path of its socket
	Version string
	dir     string
	cmd     *exec.Cmd
	ended   chan struct{}
}

// Start starts redis-server and waits until it accepts connections. The error wraps
// exec.ErrNotFound if there is no redis-server.
func Start() (*Server, error) {
	dir, err := os.MkdirTemp("", "ev-hiredis-")
	if err != nil {
		return nil, err
	}
	s := &Server{Address: filepath.Join(dir, "socket"), dir: dir}
	if err := s.Restart(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// Restart starts a process on the same socket, after Kill.
func (s *Server) Restart() error {
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", s.Address, "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ready, ended := make(chan bool, 1), make(chan struct{})
	s.ended = ended
	var said strings.Builder
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			line := lines.Text()
			if _, version, ok := strings.Cut(line, "Redis version="); ok {
				s.Version, _, _ = strings.Cut(version, ",")
			}
			if strings.Contains(line, "eady to accept connections") {
				ready <- true
			}
			fmt.Fprintln(&said, line)
		}
	}()
	select {
	case <-ready:
		return nil
	case <-ended:
		return fmt.Errorf("redis-server ended (%v) and said:\n%s", s.cmd.Wait(), said.String())
	}
}

// Kill ends the process by SIGKILL, and returns when it has ended. The socket's file stays.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.ended
	_ = s.cmd.Wait() // "signal: killed"
	return nil
}

// Signal sends a signal to the process.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// Stop kills the process, if it runs, and removes its directory.
func (s *Server) Stop() error {
	err := s.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}
