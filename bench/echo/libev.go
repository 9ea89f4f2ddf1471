//go:build linux || darwin

package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// libevSource is the server in C.
//
//go:embed c/libev.c
var libevSource []byte

// programEnv names the built server, for the child.
const programEnv = "EV_BENCH_ECHO_LIBEV"

// buildLibev builds the server, once. The error says that there is no C compiler, or
// what it reported: no libev, say.
var buildLibev = sync.OnceValues(func() (program string, err error) {
	dir, err := os.MkdirTemp("", "ev-echo-")
	if err != nil {
		return "", err
	}
	source := filepath.Join(dir, "libev.c")
	if err := os.WriteFile(source, libevSource, 0o644); err != nil {
		return "", err
	}
	program = filepath.Join(dir, "libev")
	out, err := exec.Command("cc", "-O2", "-o", program, source,
		"-I/usr/local/include", "-I/opt/homebrew/include", "-L/usr/local/lib", "-L/opt/homebrew/lib", "-lev").CombinedOutput()
	if err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("building the server in C: %w: %s", err, out)
	}
	return program, nil
})

// serveLibev replaces this process by the server in C.
func serveLibev() error {
	program := os.Getenv(programEnv)
	return syscall.Exec(program, []string{program}, os.Environ())
}
