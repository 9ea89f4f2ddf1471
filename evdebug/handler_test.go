package evdebug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
	"github.com/goevlib/ev/evmeter"
)

// loop makes a loop that is closed after the test.
func loop(t *testing.T, name string) *ev.Loop {
	t.Helper()
	l, err := ev.New(ev.WithName(name))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return l
}

// run runs the loop until the test ends.
func run(t *testing.T, l *ev.Loop) {
	t.Helper()
	done := make(chan error)
	go func() { done <- l.Run(context.Background()) }()
	t.Cleanup(func() {
		l.Stop()
		assert.NoError(t, <-done)
	})
	require.Eventually(t, l.Running, time.Minute, time.Millisecond)
}

// get asks a handler for a page. The headers are pairs.
func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	return ask(h, http.MethodGet, path, headers...)
}

func ask(h http.Handler, method, path string, headers ...string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest(method, path, nil), httptest.NewRecorder()
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	h.ServeHTTP(w, r)
	return w
}

func pathOf(l *ev.Loop) string { return fmt.Sprint("/", l.ID()) }

// read decodes the JSON about a loop.
func read(t *testing.T, h http.Handler, l *ev.Loop) (r report) {
	t.Helper()
	w := get(h, pathOf(l)+"?format=json")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
	return r
}

type report struct {
	evmeter.Reading
	State   string    `json:"state"`
	Stack   string    `json:"stack"`
	StackAt time.Time `json:"stack_at"`
	Recent  struct {
		Slowest time.Duration `json:"max_slowest_ns"`
	} `json:"recent"`
	Inspection *struct {
		evmeter.Inspection
		At time.Time `json:"at"`
	} `json:"inspection"`
}

func TestWithoutLoopsThePageSaysSo(t *testing.T) {
	require.Empty(t, ev.Loops())
	w := get(evdebug.Handler(), "/debug/ev/")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Body.String(), "no event loop at the moment")
	assert.Equal(t, http.StatusOK, get(evdebug.Handler(), "/?format=json").Code)
}

func TestTheListLeadsToEachLoop(t *testing.T) {
	named, nameless := loop(t, "named"), loop(t, "")
	body := get(evdebug.Handler(), "/debug/ev/").Body.String()
	assert.Contains(t, body, fmt.Sprintf(`<a href="%d">named</a>`, named.ID()))
	assert.Contains(t, body, fmt.Sprintf(`<a href="%d">loop %d</a>`, nameless.ID(), nameless.ID()))
}

func TestALoopWithoutANameIsCalledAsInLogsAndProfiles(t *testing.T) {
	l := loop(t, "")
	for l.ID() < 1000 { // from there on, a count would have its thousands apart
		l = loop(t, "")
		if l.ID() < 1000 {
			require.NoError(t, l.Close())
		}
	}
	h := evdebug.Handler()
	assert.Contains(t, get(h, "/").Body.String(), ">"+l.String()+"</a>")
	assert.Contains(t, get(h, pathOf(l)).Body.String(), "<title>"+l.String()+": event loop</title>")
	assert.Equal(t, fmt.Sprint("loop ", l.ID()), l.String())
}

func TestItWorksWhereverItIsMounted(t *testing.T) {
	l := loop(t, "mounted")
	deep := http.NewServeMux()
	deep.Handle("/debug/ev/", evdebug.Handler())
	stripped := http.NewServeMux()
	stripped.Handle("/loops/", http.StripPrefix("/loops/", evdebug.Handler()))
	for prefix, h := range map[string]http.Handler{
		"/debug/ev/": deep, "/loops/": stripped, "/": evdebug.Handler(),
	} {
		server := httptest.NewServer(h)
		for path, want := range map[string]string{
			"": "Event loops</h1>", fmt.Sprint(l.ID()): "mounted <span", "style.css": "prefers-color-scheme", "script.js": "use strict",
		} {
			resp, err := http.Get(server.URL + prefix + path)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, http.StatusOK, resp.StatusCode, prefix+path)
			assert.Contains(t, string(body), want, prefix+path)
		}
		server.Close()
	}
}

// Links that begin with a slash would not survive a proxy with a prefix of its own.
func TestAllLinksAreRelative(t *testing.T) {
	l := loop(t, "linked")
	links := regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	for _, path := range []string{"/debug/ev/", "/debug/ev" + pathOf(l), "/debug/ev/none"} {
		found := links.FindAllStringSubmatch(get(evdebug.Handler(), path).Body.String(), -1)
		assert.NotEmpty(t, found)
		for _, link := range found {
			assert.NotRegexp(t, `^/|^https?:`, link[1], path)
		}
	}
}

func TestOnlyGetAndHeadAreServed(t *testing.T) {
	h, l := evdebug.Handler(), loop(t, "x")
	for _, path := range []string{"/", pathOf(l), "/style.css", "/charts.js", "/none"} {
		whole := get(h, path)
		head := ask(h, http.MethodHead, path)
		assert.Equal(t, whole.Code, head.Code, path)
		assert.Empty(t, head.Body.String(), path)
		assert.NotEqual(t, "0", head.Header().Get("Content-Length"), path)
		assert.Equal(t, whole.Header().Get("Content-Type"), head.Header().Get("Content-Type"), path)
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			w := ask(h, method, path)
			assert.Equal(t, http.StatusMethodNotAllowed, w.Code, path)
			assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
		}
	}
}

func TestEveryAnswerHasTheSecurityHeaders(t *testing.T) {
	h, l := evdebug.Handler(), loop(t, "x")
	for _, path := range []string{"/", "/?format=json", pathOf(l), pathOf(l) + "?format=json", "/style.css", "/script.js", "/charts.js", "/uPlot.iife.min.js", "/uPlot.min.css",
		"/profile", "/trace", "/none"} {
		header := get(h, path).Header()
		assert.Equal(t, "no-store", header.Get("Cache-Control"), path)
		assert.Equal(t, "nosniff", header.Get("X-Content-Type-Options"), path)
		assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'", path)
		assert.NotContains(t, header.Get("Content-Security-Policy"), "unsafe", path)
	}
}

// The browser would silently ignore content that the policy forbids.
func TestThePageHasNoInlineStylesOrScripts(t *testing.T) {
	l := loop(t, "x")
	for _, path := range []string{"/", pathOf(l)} {
		body := get(evdebug.Handler(), path).Body.String()
		assert.NotContains(t, body, "style=")
		assert.NotContains(t, body, "<style")
		assert.NotRegexp(t, `<script[^>]*>[^<]`, body)
		assert.NotRegexp(t, ` on[a-z]+=`, body)
	}
}

func TestHostileNamesAreOnlyNames(t *testing.T) {
	const hostile = `<script>alert(1)</script>"' onload=x &amp;`
	l := loop(t, hostile)
	h := evdebug.Handler()
	get(h, pathOf(l)) // it is measured from here on
	ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name(hostile)).Start()
	ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name(hostile)).Start()
	l.RunNoWait()
	run(t, l)
	for _, path := range []string{"/", pathOf(l)} {
		body := get(h, path).Body.String()
		assert.NotContains(t, body, "<script>", path)
		assert.Contains(t, body, "&lt;script&gt;alert(1)", path)
		assert.NotContains(t, body, `"' onload`, path)
	}
	assert.Equal(t, hostile, read(t, h, l).Name)
}

func TestAProgramGetsJSONFromTheSameAddress(t *testing.T) {
	h, l := evdebug.Handler(), loop(t, "x")
	for _, path := range []string{"/", pathOf(l), "/none"} {
		for _, c := range []struct{ query, accept, kind string }{
			{"", "application/json", "application/json"},
			{"?format=json", "text/html", "application/json"},
			{"", "text/html,application/json;q=0.9", "text/html; charset=utf-8"},
			{"?format=html", "application/json", "text/html; charset=utf-8"},
			{"", "", "text/html; charset=utf-8"},
		} {
			w := get(h, path+c.query, "Accept", c.accept)
			assert.Equal(t, c.kind, w.Header().Get("Content-Type"), "%s %+v", path, c)
			assert.Equal(t, "Accept", w.Header().Get("Vary"))
			assert.Equal(t, c.kind == "application/json", json.Valid(w.Body.Bytes()))
		}
	}
}

// keys returns the keys of an object.
func keys(t *testing.T, data []byte) []string {
	t.Helper()
	var object map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &object), "%s", data)
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	return names
}

// Programs rely on these names.
func TestTheNamesInTheJSONStay(t *testing.T) {
	h, l := evdebug.Handler(), loop(t, "x")
	ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}).Start()
	run(t, l)
	var list struct {
		Loops []json.RawMessage `json:"loops"`
	}
	body := get(h, "/?format=json").Body.Bytes()
	assert.ElementsMatch(t, []string{"at", "loops"}, keys(t, body))
	require.NoError(t, json.Unmarshal(body, &list))
	require.Len(t, list.Loops, 1)
	assert.ElementsMatch(t, []string{"id", "name", "backend", "state", "stats", "recent", "in_progress", "slowest"}, keys(t, list.Loops[0]))

	body = get(h, pathOf(l)+"?format=json").Body.Bytes()
	assert.ElementsMatch(t, []string{"id", "name", "backend", "running", "parked", "stats", "at", "since", "observed_ns",
		"busy_ns", "sources", "slowest", "in_progress", "wakeup", "lag", "callback", "pending", "history",
		"state", "recent", "inspection"}, keys(t, body))
	var one struct {
		Recent, Inspection, Stats json.RawMessage
	}
	require.NoError(t, json.Unmarshal(body, &one))
	assert.ElementsMatch(t, []string{"seconds", "busy", "iterations", "callbacks", "parks", "max_slowest_ns", "max_lag_ns", "max_wakeup_ns"}, keys(t, one.Recent))
	assert.ElementsMatch(t, []string{"iterations", "parks", "fd_writes", "direct_wakes", "collected", "callbacks",
		"interest_changes", "timerfd_sets", "active", "pending"}, keys(t, one.Stats))
	assert.ElementsMatch(t, []string{"active", "refs", "depth", "iteration", "took_ns", "at"}, keys(t, one.Inspection))
}

func TestALoopThatWasClosedIsNotFound(t *testing.T) {
	l, err := ev.New()
	require.NoError(t, err)
	h := evdebug.Handler()
	assert.Equal(t, http.StatusOK, get(h, pathOf(l)).Code)
	require.NoError(t, l.Close())
	w := get(h, pathOf(l))
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Contains(t, w.Body.String(), "it was closed, or never made")
	w = get(h, pathOf(l), "Accept", "application/json")
	assert.Equal(t, http.StatusNotFound, w.Code)
	assert.Equal(t, []string{"error"}, keys(t, w.Body.Bytes()))
	for _, path := range []string{"/none", "/-1", "/18446744073709551616", "/1e3"} {
		assert.Equal(t, http.StatusNotFound, get(h, path).Code, path)
	}
}

func TestThePageSaysWhyTheLoopIsAlive(t *testing.T) {
	l := loop(t, "x")
	for range 3 {
		ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name("idle connection"), ev.Priority(-1)).Start()
	}
	weak := ev.NewAsync(l, func(*ev.Async) {}, ev.Name("weak"))
	weak.Start()
	weak.Keep(false)
	l.Ref()
	run(t, l)
	h := evdebug.Handler()
	body := strings.Join(strings.Fields(get(h, pathOf(l)).Body.String()), " ")
	assert.Contains(t, body, "Run goes on because of <b>3</b> active watchers and <b>1</b> other reference (Ref, or Go in progress).")
	assert.Contains(t, body, `<td class="n">3</td> <td class="n">3</td> <th scope="row"><span class="kind">Timer</span> <span class="name">idle connection</span></th> <td class="n">-1</td>`)
	assert.Contains(t, body, `<td class="n">1</td> <td class="n">0</td> <th scope="row"><span class="kind">Async</span> <span class="name">weak</span></th>`)
	assert.Equal(t, 1, read(t, h, l).Inspection.Refs)
}

func TestSlowCallbacksStandFirstWithTheirNames(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	get(h, "/")
	for i := range 12 {
		ev.NewTimer(l, 0, 0, func(*ev.Timer) { time.Sleep(time.Duration(i+1) * 2 * time.Millisecond) }, ev.Name(fmt.Sprint("work ", i))).Start()
	}
	require.NoError(t, l.Run(context.Background()))
	r := read(t, h, l)
	require.Len(t, r.Slowest, evmeter.SlowestKept)
	for i := range r.Slowest[1:] {
		assert.GreaterOrEqual(t, r.Slowest[i].Took, r.Slowest[i+1].Took)
	}
	_, table, found := strings.Cut(get(h, pathOf(l)).Body.String(), "The ten slowest callbacks")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "</table>")
	at := 0
	for _, c := range r.Slowest {
		i := strings.Index(table[at:], ">"+c.Source.Name+"<")
		require.NotEqual(t, -1, i, "%s is shown, and not before a slower one", c.Source.Name)
		at += i
	}
	assert.Equal(t, evmeter.SlowestKept, strings.Count(table, `<th scope="row">`))
	assert.Contains(t, table, "handler_test.go:")
}

// block holds up a loop in a callback until the test ends.
func block(t *testing.T, l *ev.Loop, name string) {
	t.Helper()
	began, end := make(chan bool), make(chan bool)
	ev.NewTimer(l, 0, 0, func(*ev.Timer) { close(began); wait(end) }, ev.Name(name)).Start()
	run(t, l)
	t.Cleanup(func() { close(end) }) // before run waits for the loop
	<-began
}

func wait(end <-chan bool) { <-end }

func TestALoopStuckWhileMeasuredIsShownWithTheCallback(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	get(h, pathOf(l))
	block(t, l, "the culprit")
	var r report
	require.Eventually(t, func() bool { r = read(t, h, l); return r.State == "stuck" }, time.Minute, time.Millisecond)
	require.Len(t, r.InProgress, 1)
	assert.Equal(t, "the culprit", r.InProgress[0].Source.Name)
	assert.GreaterOrEqual(t, r.InProgress[0].Took, 200*time.Millisecond)
	assert.Contains(t, get(h, pathOf(l)).Body.String(), `<span class="name">the culprit</span>`)
	list := get(h, "/").Body.String()
	assert.Contains(t, list, `<span class="state stuck">`)
	assert.Contains(t, list, "the culprit")
	later := read(t, h, l)
	assert.Greater(t, later.InProgress[0].Took, r.InProgress[0].Took)
}

func TestALoopStuckBeforeItWasMeasuredIsShownWithItsStack(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	block(t, l, "unseen")
	r := read(t, h, l)
	assert.Equal(t, "stuck", r.State)
	assert.Empty(t, r.InProgress)
	assert.Nil(t, r.Inspection)
	assert.Contains(t, r.Stack, "evdebug_test.wait(")
	body := get(h, pathOf(l)).Body.String()
	assert.Contains(t, body, "Where it hangs")
	assert.Contains(t, body, "evdebug_test.wait(")
	assert.Contains(t, body, "The loop has not answered yet")
}

// A page that is refreshed each second must not queue questions.
func TestAStuckLoopIsAskedOnce(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	began, end := make(chan bool), make(chan bool)
	ev.NewTimer(l, 0, 0, func(*ev.Timer) { close(began); <-end }).Start()
	l.Ref() // or Run would end with the timer
	run(t, l)
	<-began
	var viewers sync.WaitGroup
	for range 5 {
		viewers.Go(func() { get(h, pathOf(l)); get(h, "/") })
	}
	viewers.Wait()
	before := l.Stats().Callbacks
	close(end)
	_, err := ev.Call(context.Background(), l, func() (any, error) { return nil, nil })
	require.NoError(t, err)
	require.NoError(t, l.Post(func() {}))
	require.Eventually(t, func() bool { return l.Parked() }, time.Minute, time.Millisecond)
	assert.EqualValues(t, 5, l.Stats().Callbacks-before, "the timer, an inspection, a ping, and the Call and the Post above")
}

func TestStuckLoopsAreAskedAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		h, end := evdebug.Handler(), make(chan bool)
		var loops sync.WaitGroup
		for range n {
			l, err := ev.New(ev.WithBackend(ev.BackendChan))
			require.NoError(t, err)
			defer l.Close()
			require.NoError(t, l.Post(func() { <-end }))
			loops.Go(func() { assert.NoError(t, l.Run(context.Background())) })
		}
		synctest.Wait()
		began := time.Now()
		assert.Equal(t, n, strings.Count(get(h, "/").Body.String(), `"state stuck"`))
		assert.Equal(t, 200*time.Millisecond, time.Since(began), "in virtual time")
		close(end)
		loops.Wait()
	})
}

func TestALoopThatAnsweredOnceIsShownAsItWasThen(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	end := make(chan bool)
	ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name("known")).Start()
	run(t, l)
	first := read(t, h, l)
	require.NotNil(t, first.Inspection)
	defer close(end)
	require.NoError(t, l.Post(func() { <-end }))
	require.Eventually(t, func() bool { return read(t, h, l).State == "stuck" }, time.Minute, 100*time.Millisecond)
	r := read(t, h, l)
	require.NotNil(t, r.Inspection, "the old answer, with its time")
	assert.Equal(t, "known", r.Inspection.Active[0].Name)
	assert.Contains(t, get(h, pathOf(l)).Body.String(), "The loop answered at")
}

func TestALoopThatNobodyRunsIsShown(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}).Start()
	r := read(t, h, l)
	assert.Equal(t, "stopped", r.State)
	assert.Nil(t, r.Inspection)
	assert.Empty(t, r.Stack)
	assert.Contains(t, get(h, pathOf(l)).Body.String(), "The loop was not asked: it is not in Run")
	run(t, l)
	require.Eventually(t, func() bool { return read(t, h, l).Inspection != nil }, time.Minute, time.Millisecond)
}

// The page would wait for the answer in vain.
func TestALoopThatNobodyRunsIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer l.Close()
		h, began := evdebug.Handler(), time.Now()
		for range 3 {
			assert.Equal(t, "stopped", read(t, h, l).State)
			get(h, "/")
		}
		synctest.Wait()
		assert.False(t, l.Alive())
		assert.Zero(t, time.Since(began), "in virtual time")
	})
}

func TestALoopWhoseRunHasEndedIsShownAsItAnsweredLast(t *testing.T) {
	l, h := loop(t, "x"), evdebug.Handler()
	ev.NewTimer(l, time.Hour, 0, func(*ev.Timer) {}, ev.Name("known")).Start()
	done := make(chan error)
	go func() { done <- l.Run(context.Background()) }()
	require.Eventually(t, func() bool { return read(t, h, l).Inspection != nil }, time.Minute, time.Millisecond)
	l.Stop()
	require.NoError(t, <-done)
	r := read(t, h, l)
	assert.False(t, r.Running)
	require.NotNil(t, r.Inspection)
	assert.Equal(t, "known", r.Inspection.Active[0].Name)
}

// A modal callback: the loop goes on inside it.
func TestALoopInANestedRunIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := ev.New(ev.WithBackend(ev.BackendChan))
		require.NoError(t, err)
		defer l.Close()
		h := evdebug.Handler()
		get(h, pathOf(l))
		ev.NewTimer(l, 0, 0, func(*ev.Timer) {
			ev.NewTimer(l, time.Minute, 0, func(*ev.Timer) {}).Start()
			assert.NoError(t, l.Run(context.Background()))
		}, ev.Name("modal")).Start()
		done := make(chan error)
		go func() { done <- l.Run(context.Background()) }()
		time.Sleep(time.Second)
		assert.Equal(t, "parked", read(t, h, l).State)
		body := strings.Join(strings.Fields(get(h, pathOf(l)).Body.String()), " ")
		assert.Contains(t, body, `In a nested Run of <span class="kind">Timer</span> <span class="name">modal</span>`)
		assert.NotContains(t, get(h, "/").Body.String(), "<b>now</b>")
		require.NoError(t, <-done)
	})
}

// The page wakes the loop, which may not have gone back to sleep when the page is made.
func TestAParkedLoopIsNotBusyWithThePage(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		onLoop(t, l, func() { l.SetRelease(func(*ev.Loop) { time.Sleep(time.Millisecond) }, func(*ev.Loop) {}) })
		time.Sleep(time.Second)
		for range 10 {
			assert.Equal(t, "parked", read(t, h, l).State)
			time.Sleep(time.Second)
		}
	})
}

func TestAnEmbeddedLoopAnswers(t *testing.T) {
	host, guest, h := loop(t, "host"), loop(t, "guest"), evdebug.Handler()
	ev.NewTimer(guest, time.Hour, 0, func(*ev.Timer) {}, ev.Name("of the guest")).Start()
	e := ev.NewEmbed(host, guest, nil)
	require.NoError(t, e.Start())
	run(t, host)
	require.Eventually(t, func() bool {
		r := read(t, h, guest)
		return r.Inspection != nil && r.Inspection.Active[0].Name == "of the guest"
	}, time.Minute, time.Millisecond)
	assert.NotEqual(t, "stuck", read(t, h, guest).State)
}

func TestManyLoops(t *testing.T) {
	const n = 200
	for i := range n {
		l, err := ev.New(ev.WithBackend(ev.BackendChan), ev.WithName(fmt.Sprint("loop of many ", i)))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, l.Close()) })
	}
	assert.Equal(t, n, strings.Count(get(evdebug.Handler(), "/").Body.String(), ">loop of many "))
}

func TestManyWatchersAreShownInGroups(t *testing.T) {
	const n, groups = 100_000, 300
	l, h := loop(t, "x"), evdebug.Handler()
	fn := func(*ev.Timer) {}
	for i := range n {
		ev.NewTimer(l, time.Hour, 0, fn, ev.Name(fmt.Sprint("group ", i%groups))).Start()
	}
	run(t, l)
	var r report
	require.Eventually(t, func() bool { r = read(t, h, l); return r.Inspection != nil }, time.Minute, time.Millisecond)
	assert.Len(t, r.Inspection.Active, groups)
	body := get(h, pathOf(l)).Body.String()
	assert.Contains(t, body, "And 200 more groups")
	assert.Contains(t, body, "<b>100\u202f000</b>")
	assert.Less(t, len(body), 200_000)
}
