package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/goevlib/ev/examples/cluster/wake"
)

// report is a line of JSON that a process of the fleet writes to its standard
// output.
type report struct {
	URL      string      `json:"url,omitempty"`      // of a store or server that is ready
	Sends    int         `json:"sends,omitempty"`    // of a sender that is done
	Messages uint64      `json:"messages,omitempty"` // the same
	Counters counters    `json:"counters,omitempty"` // of the owner, each time they have changed
	Wakeups  *wake.Stats `json:"wakeups,omitempty"`  // of the owner, at its end
	Reads    int         `json:"reads,omitempty"`    // the same
}

func say(out io.Writer, r report) error { return json.NewEncoder(out).Encode(r) }

// process is this program in one of its roles.
type process struct {
	role  string
	cmd   *exec.Cmd
	stdin io.Closer // the process ends when it is closed
	out   *json.Decoder
}

func spawn(role string, args ...string) (*process, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{role: role, cmd: exec.Command(exe, append([]string{role}, args...)...)}
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = json.NewDecoder(out)
	return p, p.cmd.Start()
}

// next waits for the next report.
func (p *process) next() (r report, err error) {
	if err := p.out.Decode(&r); err != nil {
		return r, fmt.Errorf("%s: no report: %w", p.role, err)
	}
	return r, nil
}

// finish ends the process. All reports that are needed must have been read.
func (p *process) finish() error {
	p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.role, err)
	}
	return nil
}

// kill sends SIGKILL, on systems that have it, so the process cannot clean up.
// It has no effect on a process that has ended.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
