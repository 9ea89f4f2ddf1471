package evdebug

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evmeter"
)

func TestALoopIsStuckIfItsAnswerIsLateOrItsCallbackLong(t *testing.T) {
	call := func(took time.Duration, nested bool) []evmeter.Call {
		return []evmeter.Call{{Took: took, Nested: nested}}
	}
	for _, c := range []struct {
		reading evmeter.Reading
		prompt  bool
		want    state
	}{
		{evmeter.Reading{Running: true}, true, busy},
		{evmeter.Reading{Running: true}, false, stuck},
		{evmeter.Reading{Running: true, Parked: true}, false, parked},
		{evmeter.Reading{Running: true, InProgress: call(answerTimeout-1, false)}, true, busy},
		{evmeter.Reading{Running: true, InProgress: call(answerTimeout, false)}, true, stuck},
		{evmeter.Reading{Running: true, InProgress: call(time.Hour, true)}, true, busy},
		{evmeter.Reading{Running: true, InProgress: call(time.Hour, true)}, false, stuck},
		{evmeter.Reading{}, true, stopped},
	} {
		assert.Equal(t, c.want, stateOf(c.reading, recent{}, c.prompt), "%+v", c)
	}
	assert.Equal(t, between, stateOf(evmeter.Reading{}, recent{Iterations: 1}, true))
}

func TestAnswersOfClosedLoopsAreDropped(t *testing.T) {
	a := asker{questions: map[uint64]*question{1: {}, 2: {}}}
	a.keep(nil)
	assert.Empty(t, a.questions)
}

// An answer that held up the loop for long is good for long, and is shown. It does not show that
// the loop answers now.
func TestAnAnswerOfSomeSecondsAgoDoesNotShowThatTheLoopAnswers(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	defer l.Close() // it is not in Run
	q := &question{done: make(chan struct{}), at: time.Now().Add(-2 * freshFor)}
	q.answer = evmeter.Inspection{Depth: 7, Took: time.Second}
	close(q.done)
	a := asker{questions: map[uint64]*question{l.ID(): q}}
	for _, prompt := range []bool{false, true} {
		latest, does := a.ask(l)
		assert.Equal(t, prompt, does)
		require.NotNil(t, latest)
		assert.Equal(t, 7, latest.Depth)
		assert.Same(t, q, a.questions[l.ID()], "it is not asked for its watchers again")
		q.at = time.Now()
	}
}
