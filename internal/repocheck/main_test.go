package repocheck

import (
	"os"
	"testing"
	"time"
)

// patience bounds every wait.
const patience = 20 * time.Second

// TestMain has the tests use paths from the root of the repository.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
