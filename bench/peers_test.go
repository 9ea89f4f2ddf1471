package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// libMeasurements are all measurements of the programs in C, with their numbers
// of values.
var libMeasurements = map[string]int{
	"send-pending": 1, "send-first": 1, "send-parked": 1, "wake-latency": 4, "ping-pong": 1,
	"async-c1": 1, "async-c4": 1, "async-pummel-c2": 2, "million-async": 1,
	"dispatch-1-of-1": 1, "dispatch-1-of-1000": 1, "loop-count": 1, "million-timers": 1,
	"timers-insert-ordered": 1, "timers-insert-random": 1, "timers-again": 1, "timers-again-later": 1,
	"timers-cancel-random": 1,
	"timers-expire-all":    1, "timers-start-stop": 1, "memory-async": 1, "memory-timer": 1,
}

func TestLibrariesMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs programs in C")
	}
	for _, lib := range []string{"libev", "libuv"} {
		for name, columns := range libMeasurements {
			t.Run(lib+"/"+name, func(t *testing.T) {
				checkValues(t, libContestant(lib, name, columns), columns)
			})
		}
		if v := libVersion(lib); v != "" && !strings.Contains(v, ".") {
			t.Errorf("%s has version %q", lib, v)
		}
	}
}

func TestHeapIsMeasured(t *testing.T) {
	for _, f := range heapFigures() {
		for _, c := range f.rivals {
			t.Run(f.name+"/"+c.name, func(t *testing.T) { checkValues(t, c, len(f.columns)) })
		}
	}
}

func TestServersAreMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs and runs servers")
	}
	for _, f := range serverFigures() {
		for _, c := range f.rivals[:1] { // echo and hub have tests of all servers
			t.Run(f.name+"/"+c.name, func(t *testing.T) { checkValues(t, c, len(f.columns)) })
		}
	}
}

func checkValues(t *testing.T, c contestant, columns int) {
	t.Helper()
	values, err := c.run(true)
	var reason skipped
	if errors.As(err, &reason) {
		t.Skip(reason)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != columns {
		t.Fatalf("%d values, not %d", len(values), columns)
	}
	for i, v := range values {
		if v <= 0 {
			t.Errorf("column %d is %v", i, v)
		}
	}
}

func TestUnknownMeasurementIsAnError(t *testing.T) {
	_, err := libContestant("libev", "no-such", 1).run(true)
	var reason skipped
	if errors.As(err, &reason) {
		t.Skip(reason)
	}
	if err == nil || !strings.Contains(err.Error(), "no such measurement") {
		t.Errorf("got %v", err)
	}
}

// fakeCompiler makes the script the cc that is found. With an empty script no
// cc is found.
func fakeCompiler(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if script != "" {
		if err := os.WriteFile(filepath.Join(dir, "cc"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv(buildEnv, t.TempDir())
}

func TestLibraryThatIsNotThereIsSkipped(t *testing.T) {
	for name, script := range map[string]string{
		"no C compiler":    "",
		"is not installed": "echo 'x.c:5:10: fatal error: uv.h: No such file or directory' >&2; exit 1",
		"not installed (":  `case "$*" in *-E*) exit 0;; esac; echo 'ld: cannot find -luv: No such file' >&2; exit 1`,
	} {
		fakeCompiler(t, script)
		_, err := libContestant("libuv", "send-first", 1).run(true)
		var reason skipped
		if !errors.As(err, &reason) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, not %q", err, name)
		}
		if v := libVersion("libuv"); v != "" {
			t.Errorf("version %q of a library that is not there", v)
		}
	}
}

func TestFaultyProgramIsNoReasonToSkip(t *testing.T) {
	fakeCompiler(t, "echo 'libuv.c:7: error: expected expression' >&2; exit 1")
	_, err := libContestant("libuv", "send-first", 1).run(true)
	var reason skipped
	if err == nil || errors.As(err, &reason) {
		t.Errorf("got %v", err)
	}
}

func TestProgramIsBuiltOnce(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(buildEnv, dir)
	first, err := buildLib("libev")
	var reason skipped
	if errors.As(err, &reason) {
		t.Skip(reason)
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	second, err := buildLib("libev")
	if err != nil || second != first {
		t.Fatalf("%s, %v; not %s", second, err, first)
	}
	if after, err := os.Stat(second); err != nil || !os.SameFile(before, after) {
		t.Errorf("%s was built again (%v)", second, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "ev-bench", "build-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestValuesAreAsManyAsColumns(t *testing.T) {
	if v, err := parseValues("1.5\n2e6\n", 2); err != nil || v[0] != 1.5 || v[1] != 2e6 {
		t.Errorf("got %v, %v", v, err)
	}
	for _, out := range []string{"", "1\n", "1\n2\n3\n", "1\nx\n"} {
		if _, err := parseValues(out, 2); err == nil {
			t.Errorf("%q was taken for two values", out)
		}
	}
}

func TestShuffledHasEachOnce(t *testing.T) {
	r := seed
	timers := make([]*int, 1000)
	for i := range timers {
		timers[i] = &i
	}
	seen := make([]bool, len(timers))
	for _, i := range shuffled(&r, timers) {
		if seen[*i] {
			t.Fatalf("%d twice", *i)
		}
		seen[*i] = true
	}
	for _, d := range near(&r, 1000) {
		if d < 100*time.Millisecond || d >= 100*time.Millisecond+spread {
			t.Fatalf("%v is not near", d)
		}
	}
}
