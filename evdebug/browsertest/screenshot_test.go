package browsertest

import (
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// small is the largest size of a picture in the documentation, in bytes.
const small = 200_000

func TestScreenshots(t *testing.T) {
	if !*update {
		t.Skip("makes the pictures of docs/debugging.md, with -update")
	}
	ctx, url := tab(t)
	open(t, ctx, url)
	do(t, ctx, chromedp.EmulateViewport(1280, 1000))
	time.Sleep(100 * time.Second) // until the charts have data
	schemes := map[string]string{"light": "light", "dark": "dark", "narrow": "light"}
	for _, name := range []string{"light", "dark", "narrow"} {
		if name == "narrow" {
			do(t, ctx, chromedp.EmulateViewport(400, 1000))
		}
		call(t, ctx, emulation.SetEmulatedMedia, scheme(schemes[name]))
		refreshed(t, ctx, 1)
		if name == "light" {
			x, y := place(t, ctx, 1, 0.8)
			do(t, ctx, js(`scrollTo(0, 0)`))
			mouse(t, ctx, input.DispatchMouseEventTypeMouseMoved, x, y)
		}
		picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		assert.Less(t, len(picture), small)
		require.NoError(t, os.WriteFile("../../docs/img/evdebug-"+name+".png", picture, 0o644))
	}
}
