package main

import (
	"os"
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

func TestEveryServerSendsEachLineToAll(t *testing.T) {
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			c, err := measure(s.name, 20, 3, 100*time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			if c.lines <= 0 || c.sent < 20*c.lines || c.p50 <= 0 || c.p99 < c.p50 || c.cpu <= 0 {
				t.Errorf("not plausible: %+v", c)
			}
		})
	}
}
