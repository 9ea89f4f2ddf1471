// Package browsertest opens the pages of evdebug in a real browser, against the
// example server under load. It is a module of its own, so that evdebug does not depend on
// the driver of the browser.
package browsertest

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "make the screenshots of the documentation anew, which takes two minutes")

// patience is long enough for busy machines.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	for _, stop := range stops {
		stop()
	}
	os.Exit(code)
}

var (
	stops   []func()
	started = sync.OnceValues(start)
)

// fixture has the browser and the server that all tests share.
type fixture struct {
	browser context.Context
	url     string // of evdebug
}

func start() (*fixture, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	url, err := startServer()
	if err != nil {
		return nil, err
	}
	profile, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		return nil, err
	}
	stops = append(stops, func() { os.RemoveAll(profile) })
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(profile),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WindowSize(1280, 1000))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, stopBrowser := chromedp.NewContext(allocator)
	// The last one first: the browser must be gone when its profile is removed.
	stops = append([]func(){stopBrowser, stopAllocator}, stops...)
	return &fixture{browser, url}, chromedp.Do(browser)
}

// startServer builds the example server and starts it as a process: it makes
// requests to itself, and one of its callbacks is slow.
func startServer() (url string, err error) {
	dir, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		return "", err
	}
	stops = append(stops, func() { os.RemoveAll(dir) })
	exe := filepath.Join(dir, "server")
	if out, err := exec.Command("go", "build", "-C", "../../examples/server", "-o", exe, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	server := exec.Command(exe, "-load", "1h", "-slow", "100ms")
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := server.Start(); err != nil {
		return "", err
	}
	first, err := bufio.NewReader(out).ReadString('\n')
	ended := make(chan error, 1)
	go func() {
		_, _ = io.Copy(io.Discard, out)
		ended <- server.Wait()
	}()
	stops = append([]func(){func() {
		_ = server.Process.Signal(syscall.SIGTERM)
		<-ended
	}}, stops...)
	if err != nil {
		return "", err
	}
	found := regexp.MustCompile(`look at (\S+)`).FindStringSubmatch(first)
	if found == nil {
		return "", fmt.Errorf("the server said %q", first)
	}
	return found[1], nil
}

// tab opens an empty page, and closes it after the test. Complaints of the browser fail the test,
// for example about content that the policy for scripts and styles forbids.
func tab(t *testing.T) (ctx context.Context, url string) {
	t.Helper()
	f, err := started()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("there is no chromium here: ", err)
	}
	require.NoError(t, err)
	ctx, closeTab := chromedp.NewContext(f.browser)
	do(t, ctx)
	ctx, cancel := context.WithTimeout(ctx, patience)
	call(t, ctx, log.Enable, cdp.Empty{})
	listen(t, ctx)
	t.Cleanup(func() { cancel(); closeTab() })
	return ctx, f.url
}

func listen(t *testing.T, ctx context.Context) {
	exceptions, entries := chromedp.Events(ctx, runtime.ExceptionThrown), chromedp.Events(ctx, log.EntryAdded)
	var listeners sync.WaitGroup
	t.Cleanup(listeners.Wait) // until the context, which is cancelled before, ends them
	listeners.Go(func() {
		for e, err := range exceptions {
			if err != nil {
				return
			}
			assert.Fail(t, "exception in the page", "%v", e.ExceptionDetails)
		}
	})
	listeners.Go(func() {
		for e, err := range entries {
			if err != nil {
				return
			}
			if e.Entry.Level == log.EntryLevelError && !expected(t, e.Entry) {
				assert.Fail(t, "the browser complains", "%s %s", e.Entry.Text, e.Entry.URL)
			}
		}
	})
}

// expected reports whether the complaint is about a loop that is gone.
func expected(t *testing.T, e *log.Entry) bool {
	return t.Name() == "TestThePageOfALoopThatIsClosedSaysSo" && e.Source == log.EntrySourceNetwork
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	require.NoError(t, chromedp.Do(ctx, steps...))
}

func call[P, R any](t *testing.T, ctx context.Context, c cdp.Command[P, R], params P) {
	t.Helper()
	_, err := chromedp.Call(ctx, c, params)
	require.NoError(t, err)
}

// eval evaluates an expression in the page.
func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	require.NoError(t, err, js)
	return v
}

// until waits until the expression is true in the page.
func until(t *testing.T, ctx context.Context, js string) {
	t.Helper()
	require.Eventually(t, func() bool { return eval[bool](t, ctx, js) }, patience, 50*time.Millisecond, js)
}

// open opens the list and then the page of the server's loop.
func open(t *testing.T, ctx context.Context, url string) {
	t.Helper()
	do(t, ctx, chromedp.Navigate(url), chromedp.Click(`//a[text()="server"]`), chromedp.WaitVisible(chromedp.CSS("#slowest")))
}

// refreshed waits until the page was refreshed n more times.
func refreshed(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	const count = `performance.getEntriesByType("resource").filter(e => e.initiatorType === "fetch").length`
	until(t, ctx, fmt.Sprintf("%s >= %d", count, eval[int](t, ctx, count)+n))
}
