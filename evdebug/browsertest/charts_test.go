package browsertest

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shownAt returns the text that chart n shows beside its title.
func shownAt(n int) string {
	return fmt.Sprintf(`document.querySelectorAll("figure output")[%d].textContent`, n)
}

// values returns the values in the legend of chart n.
func values(n int) string {
	return fmt.Sprintf(`[...document.querySelectorAll("figure")[%d].querySelectorAll(".v")].map(e => e.textContent)`, n)
}

// place is a point of a chart, in parts of its width.
func place(t *testing.T, ctx context.Context, chart int, part float64) (x, y float64) {
	t.Helper()
	at := eval[[]float64](t, ctx, fmt.Sprintf(`(() => {
		const over = document.querySelectorAll("figure")[%d].querySelector(".u-over");
		over.scrollIntoView({block: "center"});
		const r = over.getBoundingClientRect();
		return [r.x + r.width * %g, r.y + r.height / 2];
	})()`, chart, part))
	return at[0], at[1]
}

func mouse(t *testing.T, ctx context.Context, kind input.DispatchMouseEventType, x, y float64) {
	t.Helper()
	p := input.DispatchMouseEventParams{Type: kind, X: x, Y: y}
	if kind != input.DispatchMouseEventTypeMouseMoved {
		p.Button, p.ClickCount = "left", 1
	}
	call(t, ctx, input.DispatchMouseEvent, p)
}

// measured waits until the charts have some seconds.
func measured(t *testing.T, ctx context.Context) {
	t.Helper()
	until(t, ctx, `JSON.parse(document.querySelector("figure").dataset.values)[0].filter(v => v !== null).length > 4`)
}

func TestThePointerShowsTheTimeAndTheValueOfEachWatcher(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	measured(t, ctx)
	most := eval[[]string](t, ctx, values(1))
	assert.NotEmpty(t, most)
	x, y := place(t, ctx, 1, 0.999)
	mouse(t, ctx, input.DispatchMouseEventTypeMouseMoved, x, y)
	for chart := range 7 { // one crosshair for all charts over time
		if chart < 2 {
			until(t, ctx, `/^\d\d:\d\d:\d\d$/.test(`+shownAt(chart)+`)`)
			continue
		}
		until(t, ctx, `/^\d\d:\d\d:\d\d  [\d.]+.*$/.test(`+shownAt(chart)+`)`)
	}
	at := eval[string](t, ctx, shownAt(1))
	for _, v := range eval[[]string](t, ctx, values(1)) {
		assert.Regexp(t, `^(0|[\d.]+ (ns|µs|ms|s))$`, v)
	}
	until(t, ctx, fmt.Sprintf(`%s > %q`, shownAt(1), at)) // the pointer rests, and time goes on
	clock := eval[string](t, ctx, `new Date().toISOString().slice(11, 16)`)
	_, zone := eval[string](t, ctx, shownAt(1)), eval[int](t, ctx, `+document.querySelector("figure").dataset.zone`)
	if zone == 0 {
		assert.Equal(t, clock[:2], eval[string](t, ctx, shownAt(1))[:2], "the time of day")
	}
	mouse(t, ctx, input.DispatchMouseEventTypeMouseMoved, 1, 1)
	until(t, ctx, shownAt(1)+` === ""`)

	x, y = place(t, ctx, 7, 0.5)
	mouse(t, ctx, input.DispatchMouseEventTypeMouseMoved, x, y)
	until(t, ctx, `/^[\d.]+ \S+ to [\d.]+ \S+: [\d\u202f]+$/.test(`+shownAt(7)+`)`)
}

func TestADragZoomsAllChartsUntilItIsUndone(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	measured(t, ctx)
	assert.False(t, eval[bool](t, ctx, `document.getElementById("whole").checkVisibility({visibilityProperty: true})`))
	zoom := func() (from, to float64) {
		x, y := place(t, ctx, 0, 0.8)
		right, _ := place(t, ctx, 0, 0.95)
		mouse(t, ctx, input.DispatchMouseEventTypeMouseMoved, x, y)
		mouse(t, ctx, input.DispatchMouseEventTypeMousePressed, x, y)
		mouse(t, ctx, input.DispatchMouseEventTypeMouseMoved, (x+right)/2, y)
		mouse(t, ctx, input.DispatchMouseEventTypeMouseMoved, right, y)
		mouse(t, ctx, input.DispatchMouseEventTypeMouseReleased, right, y)
		until(t, ctx, `charts.zoomed() !== null`)
		range_ := eval[[]float64](t, ctx, `charts.zoomed()`)
		require.Len(t, range_, 2)
		return range_[0], range_[1]
	}
	place(t, ctx, 0, 0) // scrolls
	before := eval[string](t, ctx, rects)
	from, to := zoom()
	assert.InDelta(t, 180*0.15, to-from, 3, "seconds")
	assert.Equal(t, before, eval[string](t, ctx, rects), "nothing moves")
	refreshed(t, ctx, 3)
	assert.Equal(t, []float64{from, to}, eval[[]float64](t, ctx, `charts.zoomed()`), "the zoom stays while time goes on")
	do(t, ctx, chromedp.Click(chromedp.CSS("#whole")))
	until(t, ctx, `charts.zoomed() === null`)
	zoom()
	x, y := place(t, ctx, 3, 0.5)
	for clicks := range int64(2) {
		for _, kind := range []input.DispatchMouseEventType{input.DispatchMouseEventTypeMousePressed, input.DispatchMouseEventTypeMouseReleased} {
			call(t, ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: "left", ClickCount: clicks + 1})
		}
	}
	until(t, ctx, `charts.zoomed() === null`)
}

func TestAHeadingSortsAndStaysSorted(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	const names = `[...document.querySelectorAll(".sources tbody th")].map(e => e.innerText).join()`
	until(t, ctx, `document.querySelectorAll(".sources tbody tr:not(.none)").length >= 3`)
	do(t, ctx, js(`window.same = true`), chromedp.Click(`//table[contains(@class, "sources")]//a[text()="Watcher"]`))
	until(t, ctx, `document.querySelector(".sources th[aria-sort]")?.innerText.trim() === "Watcher"`)
	up := eval[string](t, ctx, names)
	do(t, ctx, chromedp.Click(`//table[contains(@class, "sources")]//a[text()="Watcher"]`))
	until(t, ctx, `document.querySelector(".sources th[aria-sort=descending]") !== null`)
	assert.NotEqual(t, up, eval[string](t, ctx, names))
	refreshed(t, ctx, 2)
	assert.True(t, eval[bool](t, ctx, `document.querySelector(".sources th[aria-sort=descending]") !== null && window.same`))
}

func TestTheHistogramOfAWatcherIsOnItsPage(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	until(t, ctx, `[...document.querySelectorAll(".calls th a")].some(a => a.innerText.includes("access log flush"))`)
	do(t, ctx, chromedp.Click(`//table[contains(@class, "calls")]//a[.//span[text()="access log flush"]]`), chromedp.WaitVisible(chromedp.CSS(".buckets")))
	assert.Contains(t, text(t, ctx), "main.(*ledger).tick")
	until(t, ctx, `document.querySelectorAll("figure canvas").length === 4`)
	do(t, ctx, js(watchShifts))
	refreshed(t, ctx, 2)
	assert.Empty(t, eval[[]string](t, ctx, `shifts`))
}

// A reader looks for the name of the culprit, on a telephone too.
func TestOnASmallScreenNoNameIsCut(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	until(t, ctx, `document.querySelectorAll(".calls tbody tr:not(.none)").length > 3`)
	call(t, ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 400, Height: 800, DeviceScaleFactor: 1})
	const cut = `[...document.querySelectorAll("tbody .name, .now .name, .legend a")].filter(e => {
		const r = e.getBoundingClientRect();
		const cell = e.closest("th, td, p, li");
		return r.width === 0 || r.right > innerWidth || e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline" || cell.scrollWidth > cell.clientWidth + 1;
	}).map(e => e.outerHTML)`
	for _, page := range []string{"loop", "watcher", "list"} {
		assert.Empty(t, eval[[]string](t, ctx, cut), page)
		assert.LessOrEqual(t, eval[int](t, ctx, `document.documentElement.scrollWidth`), 400, page)
		switch page {
		case "loop":
			assert.NotEmpty(t, eval[string](t, ctx, `document.querySelector(".now .name").innerText`))
			do(t, ctx, js(`document.querySelector(".now a").click()`), chromedp.WaitVisible(chromedp.CSS(".buckets")))
		case "watcher":
			do(t, ctx, chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("#loops")))
			until(t, ctx, `document.querySelector("td.who .name") !== null`)
		}
	}
}
