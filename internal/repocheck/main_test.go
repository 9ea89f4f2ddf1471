package repocheck

import (
	"testing"
	"time"
)

// patience bounds every wait.
const patience = 20 * time.Second

// atRoot has a test use paths from the root of the repository. (Not in TestMain:
// the go command would not know which files the test depends on, and cache it.)
func atRoot(t *testing.T) { t.Chdir("../..") }
