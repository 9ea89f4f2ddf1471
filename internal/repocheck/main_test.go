package repocheck

import (
	"testing"
	"time"
)

// patience bounds every wait.
const patience = 20 * time.Second

// atRoot makes a test use paths from the root of the repository. TestMain cannot do it:
// the go command would not know the files that the test depends on, and would cache its
// result.
func atRoot(t *testing.T) { t.Chdir("../..") }
