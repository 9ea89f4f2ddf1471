package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// sources are programs in C that measure libraries in C.
//
//go:embed c
var sources embed.FS

// buildEnv names the directory for the programs built from them. The default is
// the user's cache.
const buildEnv = "EV_BENCH_BUILD"

// runLimit is longer than any measurement takes. A program that takes longer
// ends with the process that waits for it.
const runLimit = 20 * time.Second

// inC adds both libraries in C to the figure. They have a value per column too.
func (f figure) inC(measurement string) figure {
	for _, lib := range []string{"libev", "libuv"} {
		f.rivals = append(f.rivals, libContestant(lib, measurement, len(f.columns)))
	}
	return f
}

// libContestant is a library in C, lib: its program prints the columns of a
// measurement, one a line.
func libContestant(lib, measurement string, columns int) contestant {
	return contestant{name: lib, run: func(quick bool) ([]float64, error) {
		args := []string{measurement}
		if quick {
			args = append(args, "quick")
		}
		out, err := runLib(lib, args...)
		if err != nil {
			return nil, err
		}
		values, err := parseValues(out, columns)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", lib, measurement, err)
		}
		return values, nil
	}}
}

// libClockwork is a library's timers. Its program prints nanoseconds: how late
// each call was, or the times of the ticks.
func libClockwork(lib string) clockwork {
	samples := func(measurement string, d time.Duration) ([]time.Duration, error) {
		out, err := runLib(lib, measurement, strconv.FormatInt(d.Milliseconds(), 10))
		if err != nil {
			return nil, err
		}
		values, err := parseValues(out, len(strings.Fields(out)))
		ds := make([]time.Duration, len(values))
		for i, v := range values {
			ds[i] = time.Duration(v)
		}
		return ds, err
	}
	return clockwork{
		name: lib,
		oneShots: func(after, d time.Duration) ([]time.Duration, error) {
			return samples(fmt.Sprintf("timer-lateness-%d", after.Microseconds()), d)
		},
		ticks: func(every time.Duration, n int) ([]time.Duration, error) {
			return samples(fmt.Sprintf("timer-ticks-%d", every.Microseconds()), time.Duration(n)*every)
		},
		inC: true,
	}
}

func parseValues(out string, columns int) ([]float64, error) {
	fields := strings.Fields(out)
	if len(fields) != columns {
		return nil, fmt.Errorf("%d values for %d columns: %q", len(fields), columns, out)
	}
	values := make([]float64, columns)
	for i, f := range fields {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// libVersion returns the version of a library, such as "4.33", or "" if it is
// not installed.
func libVersion(lib string) string {
	out, err := runLib(lib, "version")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

func runLib(lib string, args ...string) (string, error) {
	program, err := buildLib(lib)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	out, err := command(ctx, program, args...)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", lib, strings.Join(args, " "), err)
	}
	return out, nil
}

// buildLib returns a library's program. It builds the program if no earlier
// process has. The name of the program is derived from its preprocessed source,
// headers of the library included, so that it is never out of date.
func buildLib(lib string) (string, error) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		return "", skipped(lib + ": no C compiler")
	}
	base, err := buildDir()
	if err != nil {
		return "", err
	}
	scratch, err := unpackSources(base)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)

	ctx, cancel := context.WithTimeout(context.Background(), runLimit)
	defer cancel()
	source := filepath.Join(scratch, lib+".c")
	flags := []string{"-O2", "-pthread", "-I/usr/local/include", "-I/opt/homebrew/include"}
	text, err := command(ctx, cc, append(flags, "-E", "-P", source)...)
	if err != nil {
		return "", notInstalled(lib, err)
	}
	program := filepath.Join(base, fmt.Sprintf("%s-%x", lib, sha256.Sum256([]byte(text)))[:len(lib)+17])
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	// The complete file is renamed into place, because another process may build it
	// too.
	built := filepath.Join(scratch, lib)
	args := append(flags, "-o", built, source, "-L/usr/local/lib", "-L/opt/homebrew/lib", "-l"+strings.TrimPrefix(lib, "lib"))
	if _, err := command(ctx, cc, args...); err != nil {
		return "", notInstalled(lib, err)
	}
	return program, os.Rename(built, program)
}

// buildDir returns the directory for programs.
func buildDir() (string, error) {
	base, err := os.Getenv(buildEnv), error(nil)
	if base == "" {
		base, err = os.UserCacheDir()
	}
	return filepath.Join(base, "ev-bench"), err
}

// unpackSources writes the sources to a new directory inside dir.
func unpackSources(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	scratch, err := os.MkdirTemp(dir, "build-")
	if err != nil {
		return "", err
	}
	files, err := sources.ReadDir("c")
	for _, f := range files {
		text, readErr := sources.ReadFile("c/" + f.Name())
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(scratch, f.Name()), text, 0o644))
	}
	if err != nil {
		os.RemoveAll(scratch)
		return "", err
	}
	return scratch, nil
}

// notInstalled turns a compiler's error about a missing library into a reason
// to skip it.
func notInstalled(lib string, err error) error {
	short := strings.TrimPrefix(lib, "lib")
	for _, complaint := range []string{
		short + ".h: No such file", short + ".h' file not found",
		"cannot find -l" + short, "library not found for -l" + short, "library '" + short + "' not found",
	} {
		if strings.Contains(err.Error(), complaint) {
			return skipped(missing(lib))
		}
	}
	return fmt.Errorf("building for %s: %w", lib, err)
}

func missing(lib string) string {
	if runtime.GOOS == "darwin" {
		return lib + " is not installed (brew install " + lib + ")"
	}
	dev := map[string]string{"libev": "libev-dev", "libuv": "libuv1-dev"}[lib]
	return dev + " is not installed (apt install " + dev + ")"
}

// command runs a program and returns its output. It makes compilers report
// errors in English.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(complaints.String()))
	}
	return string(out), nil
}
