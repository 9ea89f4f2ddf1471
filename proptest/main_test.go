package proptest

import (
	"flag"
	"os"
	"testing"
)

// TestMain has each property checked more often than rapid does by itself; the
// flag, which is parsed later, still overrides that.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "1500"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
