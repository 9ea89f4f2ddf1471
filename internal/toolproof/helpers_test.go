package toolproof

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

func newLoop(t *testing.T, opts ...ev.LoopOption) *ev.Loop {
	t.Helper()
	l, err := ev.New(opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// tool returns the path of a tool of the Go distribution. The go command would run it
// as a grandchild, which survives a kill.
func tool(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "tool", "-n", name).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// newBrowser returns a context of chromedp.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here, which is only needed to look at what other tests have parsed")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1200, 640))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	see(t, ctx, chromedp.Navigate("about:blank")) // its context is the browser's
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func see[T any](t *testing.T, ctx context.Context, action chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(ctx, action)
	require.NoError(t, err)
	return v
}

// screenshot saves the browser's page after the scripts, if EV_SCREENSHOTS is set.
func screenshot(t *testing.T, ctx context.Context, name string, scripts ...string) {
	t.Helper()
	dir := os.Getenv("EV_SCREENSHOTS")
	if dir == "" {
		return
	}
	for _, script := range scripts {
		see(t, ctx, chromedp.Evaluate[chromedp.Void](script))
	}
	png := see(t, ctx, chromedp.FullScreenshot(100))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), png, 0o644))
}
