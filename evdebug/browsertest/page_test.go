package browsertest

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
)

// callbacks returns the number of callbacks of the loop.
const callbacks = `[...document.querySelectorAll("th")].find(e => e.textContent === "Callbacks" && e.nextElementSibling.className === "n").nextElementSibling.textContent`

func js(code string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](code, chromedp.EvalAwaitPromise)
}

func TestTheFiguresMove(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	do(t, ctx, js(`window.same = true`))
	for range 3 {
		before := eval[string](t, ctx, callbacks)
		until(t, ctx, fmt.Sprintf("%s !== %q", callbacks, before))
	}
	do(t, ctx, js(`window.drawing = document.querySelector("figure canvas").toDataURL()`))
	until(t, ctx, `document.querySelector("figure canvas").toDataURL() !== window.drawing`)
	assert.True(t, eval[bool](t, ctx, `window.same`), "without loading the page anew")
}

func TestTheSlowCallbackIsShownByName(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	until(t, ctx, `[...document.querySelectorAll("table.calls tbody tr")].some(row =>
		row.cells[2].innerText.includes("access log flush") && parseFloat(row.cells[0].innerText) >= 100 &&
		row.cells[5].innerText.includes("(*ledger).tick"))`)
	do(t, ctx, chromedp.Navigate(url))
	until(t, ctx, `document.body.innerText.includes("In a callback, or the slowest so far")`)
}

// rects returns the positions of elements on the page.
const rects = `[...document.querySelectorAll("h1,h2,section,table,tr,th,td,figure,svg,dl,dt,dd,button,nav")].map(e => {
	const r = e.getBoundingClientRect();
	return [e.tagName, r.x, r.y, r.width, r.height].join(" ");
}).join("\n")`

// watchShifts records the layout shifts that the browser reports. It ignores a number that gets
// another digit and begins further left in its cell.
const watchShifts = `window.shifts = [];
	window.observer = new PerformanceObserver(list => {
		const moved = list.getEntries().flatMap(e => e.sources).map(s => s.node);
		const number = node => node && node.nodeType === Node.TEXT_NODE && node.parentElement && node.parentElement.closest(".n");
		shifts.push(...moved.filter(node => !number(node)).map(node => node ? node.parentElement.outerHTML : "what is gone"));
	});
	window.observer.observe({type: "layout-shift"})`

func TestNothingMovesWhenTheFiguresDo(t *testing.T) {
	ctx, url := tab(t)
	do(t, ctx, chromedp.Navigate(url))
	refreshed(t, ctx, 2) // until there are figures
	for _, page := range []string{"list", "loop"} {
		if page == "loop" {
			open(t, ctx, url)
			until(t, ctx, `document.querySelectorAll(".sources tbody tr:not(.none)").length >= 3`) // records, flush and /stats; not the viewers
		}
		do(t, ctx, js(watchShifts))
		before := eval[string](t, ctx, rects)
		refreshed(t, ctx, 5)
		assert.Equal(t, before, eval[string](t, ctx, rects), page)
		assert.Empty(t, eval[[]string](t, ctx, `shifts`), page)
	}
}

// focused returns the element with the focus, and whether the focus is visible.
type focused struct {
	Tag, Text, Label string
	Outline          string
}

func press(t *testing.T, ctx context.Context, key string) focused {
	t.Helper()
	do(t, ctx, chromedp.KeyEvent(key))
	return eval[focused](t, ctx, `(e => ({Tag: e.tagName, Text: e.innerText.slice(0, 40), Label: e.getAttribute("aria-labelledby") || "",
		Outline: getComputedStyle(e).outlineStyle}))(document.activeElement)`)
}

func TestTheKeyboardIsEnough(t *testing.T) {
	ctx, url := tab(t)
	do(t, ctx, chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("#pause")))
	var seen []string
	for range 5 {
		f := press(t, ctx, kb.Tab)
		assert.NotEqual(t, "none", f.Outline, "%+v", f)
		if f.Label != "" {
			f.Text = "#" + f.Label
		}
		seen = append(seen, f.Text)
	}
	assert.Equal(t, []string{"Skip to the figures", "Event loops", "Pause", "#loops", "Loop"}, seen)
	press(t, ctx, kb.Enter)
	until(t, ctx, `document.querySelector("th").getAttribute("aria-sort") === "ascending"`)
	assert.Equal(t, "Loop", eval[string](t, ctx, `document.activeElement.innerText.trim()`))
	for range 9 {
		press(t, ctx, kb.Tab) // the other headings
	}
	assert.Equal(t, "server", eval[string](t, ctx, `document.activeElement.innerText`))
	do(t, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("#slowest")))

	press(t, ctx, kb.Tab)
	assert.Equal(t, "MAIN", press(t, ctx, kb.Enter).Tag, "the link skips what is above")
	for range 3 {
		press(t, ctx, kb.Tab) // the watcher that was slowest lately, the recording, the profile
	}
	chart := press(t, ctx, kb.Tab)
	assert.NotEqual(t, "none", chart.Outline)
	assert.Contains(t, eval[string](t, ctx, `document.activeElement.getAttribute("aria-label")`), "Busy, by watcher: at most")
	press(t, ctx, kb.ArrowLeft)
	until(t, ctx, shownAt(0)+` !== ""`)
	at := eval[string](t, ctx, shownAt(0))
	assert.Regexp(t, `^\d\d:\d\d:\d\d$`, at)
	press(t, ctx, kb.ArrowLeft)
	assert.Less(t, eval[string](t, ctx, shownAt(0)), at, "a second before")
	press(t, ctx, "+")
	assert.True(t, eval[bool](t, ctx, `charts.zoomed() !== null`))
	press(t, ctx, kb.Escape)
	assert.True(t, eval[bool](t, ctx, `charts.zoomed() === null`))
	refreshed(t, ctx, 3)
	assert.Contains(t, eval[string](t, ctx, `document.activeElement.getAttribute("aria-label")`), "Busy, by watcher", "a refresh leaves the keyboard where it is")
}

func TestPauseStopsTheFigures(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	do(t, ctx, chromedp.WaitVisible(chromedp.CSS("#pause")), chromedp.Focus(chromedp.CSS("#pause")), chromedp.KeyEvent(" "))
	until(t, ctx, `document.getElementById("status").textContent === "Paused."`)
	// Without the pause, the text would differ by then: it shows the time of the
	// server's answer.
	before := eval[string](t, ctx, `document.getElementById("main").innerText`)
	do(t, ctx, js(`new Promise(done => setTimeout(done, 3000))`))
	assert.Equal(t, before, eval[string](t, ctx, `document.getElementById("main").innerText`))
	do(t, ctx, chromedp.KeyEvent(" "))
	until(t, ctx, fmt.Sprintf(`document.getElementById("main").innerText !== %q`, before))
}

// contrasts returns the texts whose contrast to their background is less than 4.5, by the formula
// of the Web Content Accessibility Guidelines.
const contrasts = `(() => {
	const parse = c => c.match(/[\d.]+/g).map(Number);
	const luminance = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => {
		for (; e; e = e.parentElement) {
			const c = parse(getComputedStyle(e).backgroundColor);
			if (c.length < 4 || c[3] === 1) return c;
		}
		return [255, 255, 255];
	};
	const low = [];
	let seen = 0;
	for (const e of document.querySelectorAll("body *")) {
		if (![...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.textContent.trim()) || !e.checkVisibility()) continue;
		seen++;
		const style = getComputedStyle(e);
		const [a, b] = [parse(e.closest("svg") ? style.fill : style.color), behind(e)].map(luminance);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) low.push(e.tagName + " " + e.textContent.slice(0, 20) + " " + ratio.toFixed(2));
	}
	return {Seen: seen, Low: low, Ground: luminance(parse(getComputedStyle(document.body).backgroundColor))};
})()`

func scheme(name string) emulation.SetEmulatedMediaParams {
	return emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}}
}

func TestAllTextsCanBeReadInDarkAndLight(t *testing.T) {
	ctx, url := tab(t)
	open(t, ctx, url)
	until(t, ctx, `document.querySelectorAll(".calls tbody tr:not(.none)").length > 0`)
	for _, name := range []string{"light", "dark"} {
		call(t, ctx, emulation.SetEmulatedMedia, scheme(name))
		got := eval[struct {
			Seen   int
			Low    []string
			Ground float64
		}](t, ctx, contrasts)
		assert.Greater(t, got.Seen, 100)
		assert.Empty(t, got.Low, name)
		assert.Equal(t, name == "dark", got.Ground < 0.2, "the ground is %s", name)
	}
}

// text returns the visible text. It does not need the page's scripts.
func text(t *testing.T, ctx context.Context) string {
	t.Helper()
	s, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	require.NoError(t, err)
	return s
}

func TestWithoutScriptsItIsAPlainPage(t *testing.T) {
	ctx, url := tab(t)
	call(t, ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	do(t, ctx, chromedp.Navigate(url))
	assert.Contains(t, text(t, ctx), "reload for more")
	assert.NotContains(t, text(t, ctx), "Pause", "a button that could do nothing is not shown")
	do(t, ctx, chromedp.Click(`//a[text()="server"]`), chromedp.WaitVisible(chromedp.CSS("#slowest")))
	var first string
	require.Eventually(t, func() bool {
		do(t, ctx, chromedp.Click(`//a[text()="reload"]`), chromedp.WaitVisible(chromedp.CSS("#slowest")))
		first = text(t, ctx)
		return strings.Contains(first, "access log flush")
	}, patience, 100*time.Millisecond)
	assert.Contains(t, first, "Run goes on because of")
	do(t, ctx, chromedp.Click(`//a[text()="reload"]`), chromedp.WaitVisible(chromedp.CSS("#slowest")))
	assert.NotEqual(t, first, text(t, ctx))
}

func TestThePageOfALoopThatIsClosedSaysSo(t *testing.T) {
	ctx, _ := tab(t)
	l, err := ev.New(ev.WithName("short-lived"))
	require.NoError(t, err)
	defer l.Close()
	server := httptest.NewServer(evdebug.Handler())
	defer server.Close()
	do(t, ctx, chromedp.Navigate(fmt.Sprint(server.URL, "/", l.ID())))
	refreshed(t, ctx, 1)
	assert.Contains(t, text(t, ctx), "Not in Run.")
	require.NoError(t, l.Close())
	until(t, ctx, `document.body.innerText.includes("it was closed, or never made")`)
	assert.Contains(t, text(t, ctx), "This loop is gone.")
	assert.False(t, eval[bool](t, ctx, `document.getElementById("pause").checkVisibility()`), "there is nothing to pause any more")
}
