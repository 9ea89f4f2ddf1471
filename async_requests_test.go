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

// head shows a push even if the same request, or another one with its number, was pushed last.
func TestAPushIsSeenWhateverWasPushedLast(t *testing.T) {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	defer l.Close()
	var calls []string
	async := func(name string) *Async {
		return NewAsync(l, func(*Async) { calls = append(calls, name) })
	}
	run := func(want ...string) {
		t.Helper()
		require.False(t, l.requests.empty())
		calls = nil
		require.NoError(t, l.RunNoWait())
		require.Equal(t, want, calls)
		require.True(t, l.requests.empty())
		require.NoError(t, l.Verify())
	}
	first, a, b := async("first"), async("a"), async("b")
	first.Start()
	for range 5 { // with each label
		a.Start()
		a.Send()
		run("a")
		a.Send()
		run("a")
		a.Stop()
		b.Start() // it has the number of a
		b.Send()
		first.Send()
		run("b", "first")
		b.Send()
		run("b")
		b.Stop()
	}
	first.Stop()
	b.Start()
	a.Start()
	first.Start()
	a.Send()
	run("a")
	b.Stop()
	l.requests.renumber()             // first has the number of b, which was not pushed last
	require.NoError(t, l.RunNoWait()) // the loop has pushed it
	a.Send()
	first.Send()
	run("a", "first")
	first.Send()
	a.Send()
	run("first", "a")
	a.Stop()
	l.requests.renumber() // and now that of a
	require.NoError(t, l.RunNoWait())
	first.Send()
	run("first")
}
