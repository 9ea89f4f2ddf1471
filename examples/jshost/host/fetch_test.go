package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/examples/jshost/host"
)

func TestFetchAsksAServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		w.Header().Set("X-Answer", "42")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, `{"said": "%s %s %s %s"}`, r.Method, r.URL.Path, r.Header.Get("X-Question"), body)
	}))
	defer server.Close()
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.VM().Set("url", server.URL))
		require.NoError(t, w.run(`
			(async () => {
				const r = await fetch(url + '/tea', {method: 'POST', headers: {'X-Question': 7}, body: 'ä'});
				console.log(r.ok, r.status, r.statusText, r.url === url + '/tea');
				console.log(r.headers.get('x-answer'), r.headers.get('X-Answer'), r.headers.get('none'));
				console.log((await r.json()).said, (await r.text()).length);
			})();
			fetch(url).then((r) => r.json()).then((r) => { console.log(r.said); undefinedFunction(); })
				.catch((e) => console.log(e instanceof ReferenceError))`))
		got := strings.Split(strings.TrimSuffix(w.out.String(), "\n"), "\n")
		assert.ElementsMatch(t, []string{
			"false 418 I'm a teapot true", "42 42 null", "POST /tea 7 ä 25", "GET /  ", "true",
		}, got)
	})
}

// tripper answers in place of a network, which a bubble does not have.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// slow answers after the duration in the path of the request.
func slow(r *http.Request) (*http.Response, error) {
	d, err := time.ParseDuration(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(d):
		return &http.Response{StatusCode: 200, Request: r, Body: io.NopCloser(strings.NewReader(d.String()))}, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

func inBubbleWithNet(t *testing.T, body func(t *testing.T, w *world)) {
	inBubble(t, func(t *testing.T, w *world) {
		w.Host = host.New(w.loop, host.Config{Stdout: &w.out, Stderr: &w.errors, Client: &http.Client{Transport: tripper(slow)}})
		body(t, w)
	})
}

func TestFetchesAreUnderWayTogetherAndTheLoopGoesOn(t *testing.T) {
	inBubbleWithNet(t, func(t *testing.T, w *world) {
		begun := time.Now()
		require.NoError(t, w.run(`
			for (const d of ['30s', '10s', '20s']) fetch('http://x/' + d).then((r) => r.text()).then(console.log);
			setTimeout(() => console.log('timeout'), 15000)`))
		assert.Equal(t, "10s\ntimeout\n20s\n30s\n", w.out.String())
		assert.Equal(t, 30*time.Second, time.Since(begun))
	})
}

func TestAFetchCanBeAborted(t *testing.T) {
	inBubbleWithNet(t, func(t *testing.T, w *world) {
		begun := time.Now()
		require.NoError(t, w.run(`
			const c = new AbortController();
			c.signal.onabort = (e) => console.log(e.type, e.target === c.signal, c.signal.aborted);
			fetch('http://x/1h', {signal: c.signal}).catch((e) => console.log(e.name, e.message));
			fetch('http://x/1s', {signal: c.signal}).then((r) => console.log(r.status));
			setTimeout(() => {
				c.abort();
				c.abort('twice');
				fetch('http://x/1h', {signal: c.signal}).catch((e) => console.log(e.name, 'at once'));
			}, 5000)`))
		assert.Equal(t, "200\nabort true true\nAbortError at once\nAbortError This operation was aborted\n", w.out.String())
		assert.Equal(t, 5*time.Second, time.Since(begun))
	})
}

func TestAFetchThatFailsRejectsAndSaysWhy(t *testing.T) {
	inBubbleWithNet(t, func(t *testing.T, w *world) {
		require.NoError(t, w.run(`
			const show = (e) => console.log(e.message);
			(async () => {
				await fetch('http://x/soon').catch(show);
				await fetch(':').catch(show);
				await fetch('http://x/1s', {method: 'B AD'}).catch(show);
				await fetch('http://x/1s', {body: {}}).catch(show);
				await fetch('http://x/1s').then((r) => r.json()).catch((e) => console.log(e.name));
			})()`))
		assert.Equal(t, `fetch: Get "http://x/soon": time: invalid duration "soon"
fetch: parse ":": missing protocol scheme
fetch: net/http: invalid method "B AD"
fetch: the body must be a string
SyntaxError
`, w.out.String())
		err := w.run(`fetch('http://x/soon')`)
		assert.EqualError(t, err, `unhandled promise rejection: GoError: fetch: Get "http://x/soon": time: invalid duration "soon"`)
	})
}

func TestAFetchEndsWithItsProgram(t *testing.T) { // otherwise the bubble would wait for an hour, or report the goroutine
	for name, end := range map[string]func(w *world, cancel func()){
		"error": func(w *world, _ func()) {
			_ = w.Post(func(*goja.Runtime) error { return errors.New("the end") })
		},
		"context": func(_ *world, cancel func()) { cancel() },
		"close":   func(w *world, _ func()) { _ = w.loop.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			inBubbleWithNet(t, func(t *testing.T, w *world) {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				begun := time.Now()
				time.AfterFunc(time.Second, func() { end(w, cancel) })
				require.Error(t, w.Run(ctx, host.Script("main.js",
					`fetch('http://x/1h').finally(() => console.log('should not run'))`)))
				if err := w.Run(context.Background(), nil); err != nil {
					assert.ErrorIs(t, err, ev.ErrClosed)
				}
				assert.Equal(t, time.Second, time.Since(begun))
				assert.Empty(t, w.out.String())
			})
		})
	}
}

func TestAPromiseOfAGoFunctionThatPanicsIsRejected(t *testing.T) {
	onEveryBackend(t, func(t *testing.T, w *world) {
		require.NoError(t, w.VM().Set("explode", func() goja.Value {
			return w.Promise(func(context.Context) (any, error) { panic("bang") })
		}))
		require.NoError(t, w.run(`explode().catch((e) => console.log(e.message))`))
		assert.Equal(t, "ev: panic: bang\n", w.out.String())
		var panicked *ev.PanicError
		require.ErrorAs(t, w.run(`explode()`), &panicked)
		assert.Equal(t, "bang", panicked.Value)
	})
}
