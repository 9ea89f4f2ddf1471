//go:build linux || darwin

package main

import (
	"os"
	"os/exec"
	"runtime"
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

func TestEveryServerEchoes(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			if s.name == "libev" {
				if _, err := buildLibev(); err != nil {
					t.Skip(err)
				}
			}
			c, err := measure(s.name, place{}, 10, 100*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if c.rate <= 0 || c.p50 <= 0 || c.p99 < c.p50 || c.cpu <= 0 {
				t.Errorf("not plausible: %+v", c)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Skip(err)
	}
	if runtime.NumCPU() < 2 {
		t.Skip("needs two processors")
	}
	for name, at := range places {
		c, err := measure(yardstick, at, 1, 100*time.Millisecond)
		if err != nil {
			t.Fatal(name, err)
		}
		if c.rate <= 0 {
			t.Errorf("%s: not plausible: %+v", name, c)
		}
	}
}
