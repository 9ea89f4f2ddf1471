//go:build cgo

package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// programEnv makes the test binary the program.
const programEnv = "EV_EXAMPLE_CURLMULTI"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" || os.Getenv(serverEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program runs the program, with two processors on any machine.
func program(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), programEnv+"=1", "GOMAXPROCS=2")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// fewThreads is the number of threads that may come with 200 transfers. The Go
// runtime starts threads for goroutines that run at the same time, not for
// goroutines that wait. With two processors these are two that run Go, one that
// is in libcurl while another takes its processor, and the same for a system
// call. libcurl starts none, because no name is looked up.
const fewThreads = 8

var tableRow = regexp.MustCompile(`(?m)^\| (\w+) +\| +(\d+) \| +(\d+) \| +(-?\d+) \|$`)

func TestTwoHundredTransfersTakeNoThreadsOfTheirOwn(t *testing.T) {
	const n = 200
	out, err := program(t, os.Args[0], "-n", strconv.Itoa(n), "-size", "10000")
	require.NoError(t, err, out)
	assert.Contains(t, out, "200 transfers under way at once: the client had a part of 200, the server held 200.")
	assert.Contains(t, out, "200 bodies came whole, 2000000 bytes.")
	added := map[string]int{}
	for _, row := range tableRow.FindAllStringSubmatch(out, -1) {
		added[row[1]], err = strconv.Atoi(row[4])
		require.NoError(t, err)
	}
	require.Len(t, added, 4, out)
	assert.LessOrEqual(t, added["threads"], fewThreads, out)
	assert.LessOrEqual(t, added["goroutines"], 1, "the runtime may be running a finalizer\n%s", out)
	assert.Contains(t, []int{n, n + 1}, added["watchers"], "a timer that is due is not active\n%s", out)
	assert.GreaterOrEqual(t, added["descriptors"], n-1, "the first transfer's connection is used again\n%s", out)
}

// This shows that the count finds threads.
func TestThreadsThatWaitAreCounted(t *testing.T) {
	const n = 50
	locked, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	for range n {
		go func() {
			runtime.LockOSThread()
			locked <- struct{}{}
			<-leave
		}()
	}
	for range n {
		<-locked
	}
	got, err := threads()
	require.NoError(t, err)
	assert.Greater(t, got, n)
}

func TestNotEnoughDescriptorsIsSaid(t *testing.T) {
	out, err := program(t, "sh", "-c", `ulimit -n 100 && exec "$0" -n 200`, os.Args[0])
	assert.Error(t, err)
	assert.Regexp(t, `^curlmulti: http://127\.0\.0\.1:\d+/body/\d+/65536: curl: \(7\) `, out)
}

func TestAServerThatRefusesIsSaid(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	_, err := transfer(s.URL, 3, 1)
	assert.EqualError(t, err, "/ready: status 404")
}

func TestABodyThatIsNotAsItWasSentIsSaid(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/body/") {
			_, _ = w.Write([]byte("something else"))
			return
		}
		_, _ = w.Write([]byte("1")) // held, as /lift reports
	}))
	defer s.Close()
	_, err := transfer(s.URL, 1, 14)
	assert.EqualError(t, err, "body 0 is not as it was sent")
}

func TestArgumentsAreChecked(t *testing.T) {
	for want, args := range map[string][]string{
		"-n must be positive: 0":         {"-n", "0"},
		"-size must be positive: -1":     {"-size", "-1"},
		`unexpected arguments: ["more"]`: {"more"},
	} {
		out, err := program(t, os.Args[0], args...)
		assert.Error(t, err)
		assert.Equal(t, "curlmulti: "+want+"\n", out)
	}
}
