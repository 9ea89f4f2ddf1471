package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain makes the test binary a server if its environment says so.
func TestMain(m *testing.M) {
	if os.Getenv(serverEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestEveryContestantIsMeasured(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for i, c := range contestants {
		got, err := measure(c.name, 200*time.Millisecond)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got.p50 <= 0 || got.p99 < got.p50 || got.p999 < got.p99 || got.Seconds < 0.2 {
			t.Errorf("%s: not plausible: %+v", c.name, got)
		}
		if sends, callbacks := got.Sends > 0, got.Callbacks > 0; sends != (i > 0) || callbacks != (i > 1) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestTheTableHasALineForEach(t *testing.T) {
	cells := make([][]cell, len(contestants))
	for i := range cells {
		us := time.Duration(i+1) * time.Microsecond
		cells[i] = []cell{{p50: us, p99: 2 * us, p999: 3 * us, did: did{Sends: 10, Callbacks: 4, Seconds: 2}}}
	}
	var out bytes.Buffer
	table(&out, cells)
	if want := "| ev, 1024 Asyncs | 3 | 6 | 9 | 3.00 | 3.00 | 3.00 | 5 | 2 |\n"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, out.String())
	}
	if lines := strings.Count(out.String(), "\n"); lines != 2+len(contestants) {
		t.Errorf("%d lines", lines)
	}
}

func TestBadArgumentsAreRefused(t *testing.T) {
	for _, args := range [][]string{{"-d", "1ms"}, {"-rounds", "0"}, {"all"}} {
		if err := run(args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q passed", args)
		}
	}
	if err := serve("nobody", nil, nil); err == nil {
		t.Error("nobody served")
	}
}
