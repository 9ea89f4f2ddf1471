package ev_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goevlib/ev"
)

// The handlers of a real server use state that belongs to a loop.
func TestALoopLivesInsideAnHTTPServer(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		hits := map[string]int{} // used on the loop's goroutine
		q := ev.NewQueue(l, 0, func(_ *ev.Queue[string], batch []string) {
			for _, path := range batch {
				hits[path]++
			}
		})
		q.Start()
		start(t, l)
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hits" {
				n, err := ev.Call(r.Context(), l, func() (int, error) { return hits["/"], nil })
				if err != nil {
					http.Error(w, err.Error(), http.StatusServiceUnavailable)
					return
				}
				fmt.Fprint(w, n)
				return
			}
			assert.NoError(t, q.Send(r.URL.Path))
		}))
		defer srv.Close()
		defer srv.Client().CloseIdleConnections()
		get := func(path string) string {
			resp, err := srv.Client().Get(srv.URL + path)
			if !assert.NoError(t, err) {
				return ""
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			return string(body)
		}
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for range 50 {
					get("/")
				}
			})
		}
		clients.Wait()
		assert.Equal(t, "400", get("/hits"))
	})
}

func threads(t *testing.T) int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("needs /proc")
	}
	var n int
	for line := range strings.Lines(string(status)) {
		if _, err := fmt.Sscanf(line, "Threads: %d", &n); err == nil {
			return n
		}
	}
	t.Skip("no thread count in /proc/self/status")
	return 0
}

func TestAThousandParkedLoopsHoldNoThread(t *testing.T) {
	before := threads(t)
	for range 1000 {
		start(t, newLoop(t))
	}
	time.Sleep(10 * time.Millisecond)
	assert.Less(t, threads(t), before+20, "the runtime may start a few of its own")
	assert.GreaterOrEqual(t, runtime.NumGoroutine(), 1000)
}
