package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary the server if the environment says so: the tests below run the
// program, with the race detector if they have it.
func TestMain(m *testing.M) {
	if os.Getenv("EV_EXAMPLE_SERVER") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// output collects the output of a process while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr output
	exited         chan struct{}
	url, log, tmp  string
}

// launch starts the program. Its log is in a directory of its own, unless the arguments
// name a file.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(exe, args...), exited: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.log = filepath.Join(p.cmd.Dir, "access.log")
	p.tmp = t.TempDir()
	p.cmd.Env = append(os.Environ(), "EV_EXAMPLE_SERVER=1", "EV_DEBUG=1", "TMPDIR="+p.tmp,
		"GORACE=atexit_sleep_ms=0") // the race detector would have each process wait a second
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.exited
	})
	return p
}

// launchServer starts the program on a free port and waits until it listens.
func launchServer(t *testing.T) *process {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("it would take a signal to end it")
	}
	p := launch(t, "-addr", "127.0.0.1:0")
	p.url = p.awaits(&p.stdout, `listening on (http://\S+)/ `)
	return p
}

// awaits waits until the output matches, and returns the first group.
func (p *process) awaits(o *output, pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	require.Eventually(p.t, func() bool { return re.MatchString(o.String()) }, patience, time.Millisecond, "no %s in the output", pattern)
	return append(re.FindStringSubmatch(o.String()), "")[1]
}

func (p *process) signal(sig os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(sig))
}

// exits waits for the process to end with this code.
func (p *process) exits(code int) {
	p.t.Helper()
	receive(p.t, p.exited)
	require.Equal(p.t, code, p.cmd.ProcessState.ExitCode(), "%s%s", &p.stdout, &p.stderr)
}

// crowd is many clients that make requests all the time. Each request has a number, to
// find its line in the log.
type crowd struct {
	stopped  atomic.Bool
	clients  sync.WaitGroup
	answered sync.Map
	count    atomic.Int64
	failed   atomic.Int64
}

const crowdSize = 8

func gather(p *process) *crowd {
	c := new(crowd)
	paths := []string{"/hello?id=", "/?id=", "/work?ms=2&id=", "/nowhere?id=", "/stats?id="}
	for i := range crowdSize {
		c.clients.Go(func() {
			// One for each, or they would open connections to spare, which Shutdown
			// waits for: to it they are clients that have not said anything yet.
			transport := new(http.Transport)
			defer transport.CloseIdleConnections()
			for n := 0; !c.stopped.Load(); n++ {
				id := fmt.Sprintf("%d-%d", i, n)
				if _, err := get(transport, p.url+paths[n%len(paths)]+id); err != nil {
					c.failed.Add(1)
					return
				}
				c.answered.Store(id, true)
				c.count.Add(1)
			}
		})
	}
	p.t.Cleanup(c.stop)
	return c
}

func (c *crowd) stop() {
	c.stopped.Store(true)
	c.clients.Wait()
}

// awaits waits for this many more answers.
func (c *crowd) awaits(t *testing.T, more int64) {
	t.Helper()
	enough := c.count.Load() + more
	require.Eventually(t, func() bool { return c.count.Load() >= enough }, patience, time.Millisecond)
}

// loggedOnce checks that each answered request is in one line of the files, and returns the number
// of lines.
func (c *crowd) loggedOnce(t *testing.T, files ...string) int64 {
	t.Helper()
	times, lines := make(map[string]int), int64(0)
	for _, file := range files {
		for line := range strings.Lines(contents(t, file)) {
			m := regexp.MustCompile(`^127\.0\.0\.1 - - \[.*\] "GET /\S*[?&]id=(\S+) HTTP/1\.1" [24]0[04] \d+ \d+\.\d{6}\n$`).FindStringSubmatch(line)
			require.NotNil(t, m, "%q", line)
			times[m[1]]++
			lines++
		}
	}
	for id, n := range times {
		require.Equal(t, 1, n, "lines of request %s", id)
	}
	c.answered.Range(func(id, _ any) bool {
		require.Contains(t, times, id, "an answered request is in no line")
		return true
	})
	return lines
}

func TestTermLogsEveryRequest(t *testing.T) {
	p := launchServer(t)
	c := gather(p)
	c.awaits(t, 200)
	c.stop()
	p.signal(syscall.SIGTERM)
	p.exits(0)
	assert.Zero(t, c.failed.Load())
	assert.Equal(t, c.count.Load(), c.loggedOnce(t, p.log))
}

func TestTermUnderLoadLogsEveryAnswer(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGTERM} {
		p := launchServer(t)
		c := gather(p)
		c.awaits(t, 300)
		p.signal(sig)
		c.clients.Wait() // each goes on until it is refused
		p.exits(0)
		// A refused request is logged if it was answered into a closed connection.
		lines := c.loggedOnce(t, p.log)
		assert.GreaterOrEqual(t, lines, c.count.Load())
		assert.LessOrEqual(t, lines, c.count.Load()+c.failed.Load())
		assert.Contains(t, p.stderr.String(), "draining")
	}
}

func TestSecondSignalExitsAtOnce(t *testing.T) {
	p := launchServer(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	// Two requests in one write: when the first is answered, the server has read the
	// second. After some other requests, the second is in progress.
	_, err = io.WriteString(conn, "GET /?id=a HTTP/1.1\r\nHost: x\r\n\r\nGET /work?ms=2000&id=b HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	_, err = conn.Read(make([]byte, 1))
	require.NoError(t, err)
	for range 5 {
		fetch(t, "GET", p.url+"/hello")
	}
	p.signal(syscall.SIGTERM)
	p.awaits(&p.stderr, "draining")
	p.signal(syscall.SIGTERM)
	p.exits(1)
	assert.Contains(t, p.stderr.String(), "second signal")
	assert.Contains(t, contents(t, p.log), "id=a", "which was answered")
	assert.NotContains(t, contents(t, p.log), "id=b", "which was not waited for")
}

func TestRotationLosesNothing(t *testing.T) {
	p := launchServer(t)
	c := gather(p)
	files := []string{p.log}
	for i := range 3 {
		c.awaits(t, 100)
		old := fmt.Sprintf("%s.%d", p.log, i)
		require.NoError(t, os.Rename(p.log, old))
		c.awaits(t, 20) // these are in the old file still
		p.signal(hangup)
		require.Eventually(t, func() bool { return exists(p.log) }, patience, time.Millisecond, "there is no new file")
		files = append(files, old)
	}
	c.awaits(t, 100)
	c.stop()
	p.signal(syscall.SIGTERM)
	p.exits(0)
	assert.Zero(t, c.failed.Load())
	assert.Equal(t, c.count.Load(), c.loggedOnce(t, files...))
	for _, file := range files {
		assert.NotEmpty(t, contents(t, file), file)
	}
}

func TestFailedRotationKeepsTheOldFile(t *testing.T) {
	p := launchServer(t)
	c := gather(p)
	c.awaits(t, 50)
	old := p.log + ".1"
	require.NoError(t, os.Rename(p.log, old))
	require.NoError(t, os.Mkdir(p.log, 0o700)) // where no file can be created
	p.signal(hangup)
	p.awaits(&p.stderr, "access log: .*going on with the old file")
	c.awaits(t, 50)
	c.stop()
	p.signal(syscall.SIGTERM)
	p.exits(0)
	assert.Equal(t, c.count.Load(), c.loggedOnce(t, old))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestTheLogIsFlushedWhileNothingHappens(t *testing.T) {
	p := launchServer(t)
	_, err := get(http.DefaultTransport, p.url+"/hello")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return contents(t, p.log) != "" }, patience, 10*time.Millisecond)
}

func TestWrongStartsSayWhatIsWrong(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	directory := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		says []string
	}{
		"port taken":           {[]string{"-addr", taken.Addr().String()}, []string{"listen", taken.Addr().String()}},
		"no such address":      {[]string{"-addr", "nonsense"}, []string{"listen", "nonsense"}},
		"log in no directory":  {[]string{"-addr", "127.0.0.1:0", "-log", "no/where.log"}, []string{"access log", "no/where.log"}},
		"log is a directory":   {[]string{"-addr", "127.0.0.1:0", "-log", directory}, []string{"access log", directory}},
		"negative load":        {[]string{"-load", "-1s"}, []string{"-load", "-1s"}},
		"negative rate":        {[]string{"-load", "1s", "-rate", "-1"}, []string{"-rate", "-1"}},
		"negative slow":        {[]string{"-slow", "-1s"}, []string{"-slow", "-1s"}},
		"unexpected arguments": {[]string{"-load", "1s", "now", "please"}, []string{"unexpected", "now", "please"}},
		"log cannot be read":   {[]string{"-load", "1s", "-log", os.DevNull}, []string{os.DevNull, "not a regular file"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, c.args...)
			p.exits(1)
			assert.Regexp(t, `^server: [^\n]+\n$`, p.stderr.String())
			for _, what := range c.says {
				assert.Contains(t, p.stderr.String(), what)
			}
		})
	}
}

// row returns a value of the table that -load prints.
func (p *process) row(what string) string {
	p.t.Helper()
	m := regexp.MustCompile(`(?m)^` + what + ` +(\S+)$`).FindStringSubmatch(p.stdout.String())
	require.NotNil(p.t, m, "no %s in\n%s", what, &p.stdout)
	return m[1]
}

func TestLoadLogsEveryRequest(t *testing.T) {
	p := launch(t, "-load", "1s")
	p.exits(0)
	assert.NotEqual(t, "0", p.row("requests"))
	assert.Equal(t, p.row("requests"), p.row("sends"))
	assert.Equal(t, p.row("requests"), p.row("lines logged"))
	for _, what := range []string{"callbacks", "sends/callback", "wake-ups", "fd writes", "requests/s", "p50", "p99"} {
		p.row(what)
	}
	assert.NoFileExists(t, p.log)
	if runtime.GOOS != "windows" { // which has another name for TMPDIR
		left, err := os.ReadDir(p.tmp)
		assert.NoError(t, err)
		assert.Empty(t, left, "the temporary log")
	}
}

func TestLoadAppendsToTheLogThatIsGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mine.log")
	require.NoError(t, os.WriteFile(path, []byte("one\ntwo\n"), 0o600))
	p := launch(t, "-load", "100ms", "-log", path)
	p.exits(0)
	log := contents(t, path)
	assert.True(t, strings.HasPrefix(log, "one\ntwo\n"))
	assert.Equal(t, p.row("lines logged"), fmt.Sprint(strings.Count(log, "\n")-2))
}

func TestSignalEndsTheLoadEarly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	p := launch(t, "-load", "1h")
	p.awaits(&p.stdout, "listening")
	p.signal(syscall.SIGINT)
	p.exits(0)
	assert.Equal(t, p.row("requests"), p.row("lines logged"))
}

// As in docs/debugging.md: the page of the loop is open meanwhile, and another client makes
// requests.
func TestLoadCountsRightWhoeverElseMakesRequests(t *testing.T) {
	p := launch(t, "-load", "1s")
	p.url = p.awaits(&p.stdout, `listening on (http://\S+)/ `)
	var others sync.WaitGroup
	var answered atomic.Int64
	for _, path := range []string{"/debug/ev/", "/debug/ev/1", "/debug/ev/1?format=json", "/hello", "/nowhere?load=no", "/stats"} {
		others.Go(func() {
			transport := new(http.Transport)
			defer transport.CloseIdleConnections()
			for {
				if _, err := get(transport, p.url+path); err != nil {
					return // the server has gone
				}
				answered.Add(1)
			}
		})
	}
	p.exits(0)
	others.Wait()
	assert.Equal(t, p.row("requests"), p.row("lines logged"))
	assert.Equal(t, p.row("requests"), p.row("sends"))
	n, err := strconv.ParseInt(p.row("by others"), 10, 64)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, n, answered.Load(), "one may have been answered into a closed connection")
	assert.LessOrEqual(t, n, answered.Load()+6)
	assert.NotEqual(t, p.row("requests"), p.row("by others"))
}

func TestTheRateOfTheLoadIsBounded(t *testing.T) {
	p := launch(t, "-load", "500ms", "-rate", fmt.Sprint(clients)) // one per second each, one after the other
	p.exits(0)
	assert.Equal(t, "0", p.row("by others"))
	n, err := strconv.Atoi(p.row("requests"))
	require.NoError(t, err)
	assert.LessOrEqual(t, n, clients)
	assert.Equal(t, p.row("requests"), p.row("lines logged"))
}
