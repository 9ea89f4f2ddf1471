package ev

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// If a watcher stops while its request is in the list, the request keeps its number
// until the list is collected.
func TestTheNumberOfAnAsyncThatWasStoppedIsUsedAgain(t *testing.T) {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	for sent := range 100 {
		a := NewAsync(l, func(*Async) { assert.Fail(t, "called") })
		a.Start()
		if sent%2 == 0 {
			a.Send()
		}
		a.Stop()
		require.NoError(t, l.RunNoWait())
	}
	assert.Len(t, l.requests.all, 2) // the mailbox has one
	assert.NoError(t, l.Verify())
}
