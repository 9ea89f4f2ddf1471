package evdebug_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
)

type ledger struct{}

func (*ledger) tick(*ev.Timer) { time.Sleep(10 * time.Second) }

// top returns the output of "go tool pprof" for a profile.
func top(t *testing.T, body []byte, options ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "profile.pb.gz")
	require.NoError(t, os.WriteFile(file, body, 0o600))
	pprof := exec.Command("go", append(append([]string{"tool", "pprof"}, options...), file)...)
	pprof.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
	out, err := pprof.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// row returns the fields of the line about a function: flat, flat%, sum%, cum, cum%.
func row(t *testing.T, top, function string) []string {
	t.Helper()
	for line := range strings.Lines(top) {
		if rest, ok := strings.CutSuffix(strings.TrimSpace(line), " "+function); ok {
			return strings.Fields(rest)
		}
	}
	require.Fail(t, "not there", "%s\n%s", function, top)
	return nil
}

func TestPprofReadsTheProfile(t *testing.T) {
	var whole, part []byte
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		get(h, pathOf(l))
		onLoop(t, l, func() {
			ev.NewTimer(l, 0, 0, new(ledger).tick, ev.Name("access log flush"), ev.Priority(1)).Start()
			ev.Spawn(l, func(task *ev.Task) error {
				time.Sleep(20 * time.Second) // it holds up the loop
				return task.Sleep(time.Hour)
			}, ev.Name("importer"))
		})
		time.Sleep(time.Minute)
		whole = get(h, "/profile").Body.Bytes()
		onLoop(t, l, func() {
			ev.NewTimer(l, time.Second, 0, new(ledger).tick, ev.Name("access log flush"), ev.Priority(1)).Start()
		})
		began := time.Now()
		w := get(h, "/profile?seconds=6&loop="+strconv.Itoa(int(l.ID())))
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Contains(t, w.Header().Get("Content-Disposition"), "attachment")
		assert.Equal(t, 6*time.Second, time.Since(began))
		part = w.Body.Bytes()
		time.Sleep(time.Minute)
		stopTasks(t, l)
	})
	out := top(t, whole, "-top")
	assert.Equal(t, "10s", row(t, out, "github.com/goevlib/ev/evdebug_test.(*ledger).tick")[0])
	assert.Equal(t, "20s", row(t, out, "github.com/goevlib/ev/evdebug_test.TestPprofReadsTheProfile.func1.1.1")[0])
	assert.Equal(t, "10s", row(t, out, "Timer access log flush")[3])
	assert.Equal(t, "20s", row(t, out, "Task importer")[3])
	assert.Equal(t, "30s", row(t, out, "loop bubble")[3])
	assert.Contains(t, out, "Type: time")
	calls := top(t, whole, "-top", "-sample_index=calls")
	assert.Equal(t, "1", row(t, calls, "github.com/goevlib/ev/evdebug_test.(*ledger).tick")[0])
	assert.Contains(t, top(t, whole, "-tags"), "access log flush")
	assert.Contains(t, top(t, whole, "-top", "-lines"), "collect_test.go:")
	out = top(t, part, "-top")
	assert.Equal(t, "5s", row(t, out, "github.com/goevlib/ev/evdebug_test.(*ledger).tick")[0], "what has run of a callback in progress")
	assert.NotContains(t, out, "importer")
	assert.Contains(t, out, "Duration: 6s")
}

func TestTheProfileIsAProtocolBufferInGzip(t *testing.T) {
	w := get(evdebug.Handler(), "/profile")
	require.Equal(t, http.StatusOK, w.Code)
	z, err := gzip.NewReader(w.Body)
	require.NoError(t, err)
	_, err = io.ReadAll(z)
	require.NoError(t, err)
}

func TestATraceHasTheCallbacksOfTheNextSeconds(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		onLoop(t, l, func() {
			ev.NewTimer(l, 0, 0, func(*ev.Timer) {}, ev.Name("before")).Start()
			ev.NewTimer(l, 2*time.Second, 0, func(*ev.Timer) {}, ev.Name("during")).Start()
			ev.NewTimer(l, 7*time.Second, 0, func(*ev.Timer) {}, ev.Name("after")).Start()
		})
		synctest.Wait()
		address := "/trace?loop=" + strconv.Itoa(int(l.ID()))
		began := time.Now()
		second := make(chan int)
		go func() {
			time.Sleep(time.Second)
			second <- get(h, address).Code
		}()
		w := get(h, address)
		assert.Equal(t, 5*time.Second, time.Since(began))
		assert.Equal(t, http.StatusTooManyRequests, <-second)
		assert.Regexp(t, `^attachment; filename="ev-loop-\d+-[\d-]+\.json"$`, w.Header().Get("Content-Disposition"))
		var trace struct {
			Events []struct{ Name, Cat string } `json:"traceEvents"`
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &trace))
		var names []string
		for _, e := range trace.Events {
			if e.Cat == "callback" {
				names = append(names, e.Name)
			}
		}
		assert.Equal(t, []string{"Timer during"}, names)
		assert.Equal(t, http.StatusOK, get(h, address+"&seconds=1").Code, "the other is over")
	})
}

// A client that goes away ends the recording.
func TestATraceEndsWithItsRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		address := "/trace?seconds=60&loop=" + strconv.Itoa(int(l.ID()))
		r, err := http.NewRequest(http.MethodGet, address, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w, began := get(h, "/"), time.Now()
		w.Body.Reset()
		h.ServeHTTP(w, r.WithContext(ctx))
		assert.Equal(t, time.Second, time.Since(began))
		assert.Empty(t, w.Body.String())
		assert.Equal(t, http.StatusOK, get(h, address[:len("/trace?seconds=6")]+address[len("/trace?seconds=60"):]).Code)
	})
}

func TestWhatCannotBeCollectedIsNamed(t *testing.T) {
	h, l := evdebug.Handler(), loop(t, "x")
	id := "loop=" + strconv.Itoa(int(l.ID()))
	for address, want := range map[string]struct {
		code int
		text string
	}{
		"/trace":                         {http.StatusBadRequest, "say which loop"},
		"/trace?loop=none":               {http.StatusNotFound, `there is no loop "none"`},
		"/trace?seconds=61&" + id:        {http.StatusBadRequest, "from 1 to 60"},
		"/trace?seconds=0&" + id:         {http.StatusBadRequest, "from 1 to 60"},
		"/profile?seconds=x":             {http.StatusBadRequest, "from 1 to 600"},
		"/profile?loop=1000000000000000": {http.StatusNotFound, "it was closed, or never made"},
	} {
		w := get(h, address)
		assert.Equal(t, want.code, w.Code, address)
		assert.Contains(t, w.Body.String(), want.text, address)
	}
	for _, address := range []string{"/profile?seconds=600", "/trace?seconds=60&" + id} {
		w := ask(h, http.MethodHead, address) // at once
		assert.Equal(t, http.StatusOK, w.Code, address)
		assert.Empty(t, w.Body.String())
	}
}
