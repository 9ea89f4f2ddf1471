package pathwatch

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Reading a file changes nothing for a path that follows links, so a callback may read it.
func TestTheTimeOfAccessCountsForPathsThatDoNotFollowOnly(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte("x"), 0o600))
	past := time.Now().Add(-48 * time.Hour) // a file system may write only times that are a day old
	require.NoError(t, os.Chtimes(name, past, time.Now()))
	path, follow := Path{Name: name}, Path{Name: name, Follow: true}
	before, err := path.Look()
	require.NoError(t, err)
	_, err = os.ReadFile(name)
	require.NoError(t, err)
	after, err := follow.Look()
	require.NoError(t, err)
	assert.True(t, follow.Same(before, after))
	if path.Same(before, after) {
		t.Skip("this file system keeps no times of access")
	}

	require.NoError(t, os.WriteFile(name, []byte("xy"), 0o600))
	changed, err := follow.Look()
	require.NoError(t, err)
	assert.False(t, follow.Same(after, changed))
	assert.False(t, follow.Same(after, nil))
}
