package evdebug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
	"github.com/goevlib/ev/evmeter"
)

// rows returns the names in the rows of a table, without their kinds.
func rows(t *testing.T, body, table string) (names []string) {
	t.Helper()
	_, rest, found := strings.Cut(body, `<table class="`+table)
	require.True(t, found, table)
	rest, _, _ = strings.Cut(rest, "</table>")
	for _, m := range regexp.MustCompile(`(?s)<th scope="row">(.*?)</th>`).FindAllStringSubmatch(rest, -1) {
		text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[1], "")
		for _, kind := range []string{"Timer ", "Async ", "Task "} {
			text = strings.TrimPrefix(text, kind)
		}
		names = append(names, text)
	}
	return names
}

func TestStuckLoopsStandFirst(t *testing.T) {
	first, second, third := loop(t, "b"), loop(t, "c"), loop(t, "a")
	first.Ref()
	run(t, first)
	block(t, second, "culprit")
	third.Ref()
	run(t, third)
	h := evdebug.Handler()
	get(h, "/")
	require.Eventually(t, func() bool { return listOf(t, h)["c"] == "stuck" }, time.Minute, time.Millisecond)
	assert.Equal(t, []string{"c", "b", "a"}, rows(t, get(h, "/").Body.String(), "loops"))
	assert.Equal(t, []string{"a", "b", "c"}, rows(t, get(h, "/?loops=loop").Body.String(), "loops"))
	assert.Equal(t, []string{"c", "b", "a"}, rows(t, get(h, "/?loops=-loop").Body.String(), "loops"))
	var list struct{ Loops []struct{ Name string } }
	require.NoError(t, json.Unmarshal(get(h, "/?format=json&loops=loop").Body.Bytes(), &list))
	assert.Equal(t, "b", list.Loops[0].Name, "programs get the oldest first")
}

func TestHeadingsSortTheTables(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	get(h, "/")
	for name, took := range map[string]time.Duration{"b": 4 * time.Millisecond, "c": 8 * time.Millisecond, "a": 0} {
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { time.Sleep(took) }, ev.Name(name)).Start()
	}
	require.NoError(t, l.Run(context.Background()))
	page := func(query string) string { return get(h, pathOf(l)+query).Body.String() }
	assert.Equal(t, []string{"c", "b", "a"}, rows(t, page(""), "sources"))
	assert.Equal(t, []string{"a", "b", "c"}, rows(t, page("?spent=watcher"), "sources"))
	assert.Equal(t, []string{"a", "b", "c"}, rows(t, page("?slowest=took"), "calls"))
	assert.Equal(t, []string{"c", "b", "a"}, rows(t, page("?spent=nonsense&slowest=%3Cscript%3E"), "sources"))

	body := page("?spent=-longest&slowest=watcher&unknown=x")
	assert.Contains(t, body, `aria-sort="descending"><a data-sort href="?slowest=watcher&amp;spent=longest">Longest</a>`)
	assert.Contains(t, body, `<a data-sort href="?slowest=watcher&amp;spent=-calls">Calls</a>`)
	assert.Contains(t, body, `aria-sort="ascending"><a data-sort href="?slowest=-watcher&amp;spent=-longest">Watcher</a>`)

	sleepers(l, 3, "sleeper ")
	run(t, l)
	require.Eventually(t, func() bool { return read(t, h, l).Inspection != nil }, time.Minute, time.Millisecond)
	assert.Equal(t, []string{"sleeper 2", "sleeper 1", "sleeper 0"}, rows(t, page("?active=-watcher"), "active"))
}

func TestTheTasksAreSorted(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		onLoop(t, l, func() {
			for _, name := range []string{"b", "c", "a"} {
				ev.Spawn(l, sleepLong, ev.Name(name))
			}
		})
		time.Sleep(time.Second)
		assert.Equal(t, []string{"a", "b", "c"}, rows(t, get(h, pathOf(l)+"?tasks=task").Body.String(), "tasks"))
		stopTasks(t, l)
	})
}

func TestAWatcherHasAPageWithItsHistogram(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		get(h, pathOf(l))
		onLoop(t, l, func() {
			for range 3 {
				ev.NewTimer(l, 0, 0, func(*ev.Timer) { time.Sleep(70 * time.Millisecond) }, ev.Name("flush")).Start()
			}
		})
		time.Sleep(2 * time.Second)
		body := get(h, pathOf(l)).Body.String()
		links := regexp.MustCompile(`<a class="plain" href="(\?watcher=\d+)"><span class="kind">Timer</span> <span class="name">flush`).FindStringSubmatch(body)
		require.NotNil(t, links)
		page := get(h, pathOf(l)+links[1]).Body.String()
		assert.Contains(t, page, "<title>flush: bubble</title>")
		assert.NotRegexp(t, `style=|<style|<script[^>]*>[^<]| on[a-z]+=`, page, "the policy forbids it")
		assert.Contains(t, page, `<tr><td class="n">65.5 ms</td><td class="n">81.9 ms</td><td class="n">3</td>`, "a quarter of a power of two")
		assert.Contains(t, page, "<dt>Calls</dt><dd>3</dd>")
		assert.Contains(t, page, "evdebug_test.TestAWatcherHasAPage")
		var r struct{ Watcher *evmeter.Detail }
		require.NoError(t, json.Unmarshal(get(h, pathOf(l)+links[1]+"&format=json").Body.Bytes(), &r))
		assert.Equal(t, "flush", r.Watcher.Source.Name)
		assert.EqualValues(t, 3, r.Watcher.Took.Count)
		assert.NotEmpty(t, r.Watcher.History)
		for _, none := range []string{"0", "99", "-1", "x"} {
			w := get(h, pathOf(l)+"?watcher="+none)
			assert.Equal(t, http.StatusNotFound, w.Code, none)
			assert.Contains(t, w.Body.String(), "there is no watcher")
		}
	})
}

// A handler at "/debug/ev" serves that address alone, which is none of its pages.
func TestAHandlerMountedWithoutItsSlashNamesTheSlash(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/debug/ev", evdebug.Handler())
	mux.Handle("GET /loops/", evdebug.Handler())
	w := get(mux, "/debug/ev")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, w.Body.String(), `mount it at &#34;/debug/ev/&#34;: its path must end in a slash`)
	w = get(mux, "/debug/ev?format=json")
	var answer struct{ Error string }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	assert.Contains(t, answer.Error, `mount it at "/debug/ev/"`)
	assert.Contains(t, get(evdebug.Handler(), "/debug/ev").Body.String(), "must end in a slash", "without http.ServeMux")
	assert.NotContains(t, get(mux, "/loops/none").Body.String(), "slash")
}

func TestTheSlowestIsTheSameInTheListAndOnThePage(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	slowest := func(address string) (calls []evmeter.Call) {
		t.Helper()
		var one struct {
			Loops   []struct{ Slowest []evmeter.Call }
			Slowest []evmeter.Call
		}
		require.NoError(t, json.Unmarshal(get(h, address+"?format=json").Body.Bytes(), &one))
		if address == "/" {
			return one.Loops[0].Slowest
		}
		return one.Slowest
	}
	assert.Empty(t, slowest("/"))
	assert.NotNil(t, slowest("/"), "an empty list")
	for i := range 3 {
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name(fmt.Sprint(i))).Start()
	}
	require.NoError(t, l.Run(context.Background()))
	all := slowest(pathOf(l))
	require.Len(t, all, 3)
	assert.Equal(t, all[:1], slowest("/"))
}

func TestTheBoundsOfTheHistogramsAreInTheJSON(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	var r struct {
		Callback struct {
			Counts, FineCounts []uint64
			Bounds             []time.Duration `json:"bounds_ns"`
			Fine               []uint64        `json:"fine_counts"`
			FineBounds         []time.Duration `json:"fine_bounds_ns"`
		}
	}
	require.NoError(t, json.Unmarshal(get(h, pathOf(l)+"?format=json").Body.Bytes(), &r))
	assert.Len(t, r.Callback.Counts, len(r.Callback.Bounds)+1)
	assert.Len(t, r.Callback.Fine, len(r.Callback.FineBounds)+1)
	assert.Equal(t, time.Microsecond, r.Callback.Bounds[0])
}

func TestTheLicenceOfUPlotIsServed(t *testing.T) {
	h := evdebug.Handler()
	assert.Contains(t, get(h, "/uPlot-LICENSE").Body.String(), "The MIT License")
	assert.Contains(t, get(h, "/uPlot.iife.min.js").Header().Get("Content-Type"), "javascript")
	assert.Contains(t, get(h, "/uPlot.min.css").Header().Get("Content-Type"), "text/css")
}
