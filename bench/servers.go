package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// serverFigures measure whole servers. The programs in echo and hub start each
// server as a process of its own and load it.
func serverFigures() []figure {
	const cpu, p50, p99, rate = 0, 1, 2, 3
	var figures []figure
	for _, n := range []int{1, 100, 1000} {
		name, least := fmt.Sprintf("%d connections", n), 1.0
		if n == 1 {
			name, least = "1 connection", 0.95
		}
		figures = append(figures, figure{
			group: "Echo", name: name,
			columns: []string{"CPU us/echo", "p50 us", "p99 us", "echoes/s"},
			targets: []target{
				{column: rate, what: "ev", over: "goroutines", bound: least, least: true, slack: 3},
				{column: p99, what: "ev", over: "goroutines", bound: 1.1, slack: 5},
			},
			rivals: []contestant{
				echo("ev", "ev, own descriptors", n),
				echo("ev, net.Conn's", "ev, net.Conn's", n),
				echo("ev, tasks", "ev, tasks", n),
				echo("goroutines", "goroutine per connection", n),
				echo("cloudwego/netpoll", "cloudwego/netpoll", n),
				echo("libev", "libev", n),
			},
		})
	}
	return append(figures, figure{
		group: "A hub", name: "1000 clients, 10 speak",
		columns: []string{"CPU us/line sent", "p50 ms", "p99 ms", "lines/s"},
		rivals: []contestant{
			hub("ev", "ev, tasks and a map"),
			hub("goroutines", "goroutines, a mutex and channels"),
		},
	})
}

// echo is a server with n connections.
func echo(name, server string, n int) contestant {
	return contestant{name, func(quick bool) ([]float64, error) {
		if name == "libev" {
			if _, err := buildLib("libev"); err != nil {
				return nil, err
			}
		}
		return runServer("echo", 4, "-only", server, "-connections", fmt.Sprint(n), "-d", serveFor(quick))
	}}
}

func hub(name, server string) contestant {
	return contestant{name, func(quick bool) ([]float64, error) {
		return runServer("hub", 4, "-only", server, "-d", serveFor(quick))
	}}
}

func serveFor(quick bool) string {
	if quick {
		return "200ms"
	}
	return "800ms"
}

// runServer runs a program of this module, which prints columns.
func runServer(program string, columns int, args ...string) ([]float64, error) {
	built, err := buildProgram(program)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	out, err := command(ctx, built, args...)
	if err != nil {
		return nil, err
	}
	return parseValues(out, columns)
}

// buildProgram builds a program of this module, into the directory for the
// programs in C. The go command only checks that it is up to date, if it is.
func buildProgram(name string) (string, error) {
	if _, err := os.Stat(name); err != nil {
		return "", skipped("its source is not in the working directory")
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return "", skipped("no go command")
	}
	base, err := buildDir()
	if err != nil {
		return "", err
	}
	program := filepath.Join(base, name)
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	_, err = command(ctx, goCommand, "build", "-o", program, "./"+name)
	return program, err
}
