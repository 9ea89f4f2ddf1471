package proptest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests check that the checker can fail. They give it histories that break one
// promise each, and recorded histories that were changed.

func TestTheModelsTellBrokenPromises(t *testing.T) {
	for _, test := range []struct {
		name   string
		object string
		legal  bool
		ops    []string // one after the other
	}{
		{"a Run that is not stopped goes on", "runs", true, []string{"enter", "iterate", "iterate"}},
		{"a Run that is stopped ends", "runs", true, []string{"enter", "iterate", "Stop", "leave ok"}},
		{"a Run that is not stopped ends", "runs", false, []string{"enter", "iterate", "leave ok"}},
		{"a Stop is lost", "runs", false, []string{"enter", "Stop", "iterate"}},
		{"a Stop without a Run has no effect", "runs", true, []string{"Stop", "enter", "iterate"}},
		{"a Stop without a Run ends the next", "runs", false, []string{"Stop", "enter", "leave ok"}},
		{"Stop is for the innermost Run", "runs", true, []string{"enter", "enter", "Stop", "leave ok", "iterate"}},
		{"Stop ends the outer Run too", "runs", false, []string{"enter", "enter", "Stop", "leave ok", "leave ok"}},
		{"StopAll ends all", "runs", true, []string{"enter", "enter", "StopAll", "leave ok", "leave ok"}},
		{"StopAll forgets the outer Run", "runs", false, []string{"enter", "enter", "StopAll", "leave ok", "iterate"}},
		{"a later Run does not see a StopAll", "runs", true, []string{"enter", "StopAll", "enter", "iterate"}},
		{"a later Run clears a StopAll", "runs", false, []string{"enter", "StopAll", "enter", "Stop", "leave ok", "iterate"}},
		{"a closed loop is entered", "runs", false, []string{"Close", "enter"}},
		{"a Run goes on after Close", "runs", false, []string{"enter", "Close", "iterate"}},
		{"a Run is refused for nothing", "runs", false, []string{"refused"}},
		{"posts run in order", "posts", true, []string{"Post 1 ok", "Post 2 ok", "run 1", "run 2"}},
		{"posts change places", "posts", false, []string{"Post 1 ok", "Post 2 ok", "run 2", "run 1"}},
		{"a post is lost", "posts", false, []string{"Post 1 ok", "Post 2 ok", "run 2"}},
		{"a post runs twice", "posts", false, []string{"Post 1 ok", "run 1", "run 1"}},
		{"the last post is lost", "posts", false, []string{"Post 1 ok", "run 1", "Post 2 ok", "rest"}},
		{"Close drops posts", "posts", true, []string{"Post 1 ok", "Close", "Post 2 closed"}},
		{"a post begins after Close", "posts", false, []string{"Post 1 ok", "Close", "run 1"}},
		{"a closed loop takes a post", "posts", false, []string{"Close", "Post 1 ok"}},
		{"a Post is refused for nothing", "posts", false, []string{"Post 1 closed"}},
		{"sends collapse", "async0", true, []string{"Send", "Send", "called", "Sent false", "rest"}},
		{"more callbacks than sends", "async0", false, []string{"Send", "called", "called"}},
		{"a send is lost", "async0", false, []string{"Send", "rest"}},
		{"a send during the callback is lost", "async0", false, []string{"Send", "called", "Send", "rest"}},
		{"Sent forgets", "async0", false, []string{"Send", "Sent false"}},
		{"Sent makes up", "async0", false, []string{"Send", "called", "Sent true"}},
		{"Sent survives Stop", "async0", true, []string{"Send", "Stop", "Sent true"}},
		{"a callback after Stop", "async0", false, []string{"Send", "Stop", "called"}},
		{"Start resets Sent", "async0", true, []string{"Stop", "Send", "Start", "Sent false", "rest"}},
		{"an old request survives Start", "async0", false, []string{"Stop", "Send", "Start", "called"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var h history
			for i, text := range test.ops {
				h = append(h, porcupine.Operation{Input: parseOperation(t, test.object, text), Call: int64(2 * i), Return: int64(2*i + 1)})
			}
			assert.Equal(t, test.legal, h.check(test.object) == porcupine.Ok)
		})
	}
}

// parseOperation reads an operation, its number if it has one, and its result.
func parseOperation(t *testing.T, object, text string) operation {
	d := operation{object: object}
	if n, _ := fmt.Sscan(text, &d.op, &d.id, &d.result); n < 2 {
		_, _ = fmt.Sscan(text, &d.op, &d.result)
	}
	require.NotEmpty(t, d.op, text)
	return d
}

// Each change alters one recorded operation or leaves it out.
func TestAHistoryThatWasTamperedWithIsIllegal(t *testing.T) {
	h := recordCalls(t, 0)
	for _, object := range objects() {
		requireLegal(t, h, object)
	}
	tampered := 0
	for i, o := range h {
		switch d := o.Input.(operation); d.op {
		case "run": // twice
			tampered++
			o.Call, o.Return = o.Return+1, o.Return+2
			requireIllegal(t, append(slices.Clone(h), o), d.object)
		case "Post", "enter": // never happened
			tampered++
			requireIllegal(t, slices.Delete(slices.Clone(h), i, i+1), d.object)
		case "rest": // an operation right before it that has no answer
			tampered++
			o.Call--
			o.Return, o.Input = o.Call, operation{object: d.object, op: "Send"}
			if d.object == "posts" {
				o.Input = operation{object: d.object, op: "Post", id: -1, result: "ok"}
			}
			requireIllegal(t, append(slices.Clone(h), o), d.object)
		}
	}
	assert.Greater(t, tampered, 10)
}

func requireIllegal(t *testing.T, h history, object string) {
	t.Helper()
	require.Equal(t, porcupine.Illegal, h.check(object), "%v", h.of(object))
}
