package toolproof

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newViewer serves the viewer of Chrome's traces, which is part of "go tool trace". The
// viewer shows this trace in place of an execution trace.
func newViewer(t *testing.T, trace []byte) (page string) {
	tool, err := url.Parse(traceServer(t, traced(t)))
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(tool))
	mux.HandleFunc("/jsontrace", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write(trace)
		assert.NoError(t, err)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/trace"
}

// inModel returns the threads of the slices that are callbacks, from the viewer's
// model.
const inModel = `(() => {
	const loops = {};
	for (const thread of document.querySelector("#trace-viewer").model.getAllThreads())
		for (const slice of thread.sliceGroup.slices)
			if (slice.category === "callback")
				loops[slice.title] = thread.name;
	return loops;
})()`

// flows returns the arrows of the viewer's model.
const flows = `document.querySelector("#trace-viewer").model.flowEvents.map(
	flow => flow.startSlice.title.split(" (")[0] + " -> " + flow.endSlice.title)`

// warnings are the viewer's warnings about the trace.
const warnings = `document.querySelector("#trace-viewer").model.importWarnings.map(w => w.message)`

// lookAtLate makes the trace as wide as the window and selects a late callback of a
// timer.
const lookAtLate = `(() => {
	for (const button of Array.from(document.querySelectorAll("button")))
		if (button.textContent === "Hide")
			button.click();
	const view = document.querySelector("#trace-viewer"), port = view.trackView.viewport;
	const all = new tr.ui.TimelineDisplayTransform();
	all.xSetWorldBounds(view.model.bounds.min, view.model.bounds.max, port.modelTrackContainer.canvas.clientWidth);
	port.setDisplayTransformImmediately(all);
	for (const thread of view.model.getAllThreads())
		for (const slice of thread.sliceGroup.slices)
			if (slice.title === "Timer late")
				view.brushingStateController.changeSelectionFromTimeline(new tr.model.EventSet([slice]));
	return new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
})()`

func TestTheViewerOfChromesTracesShowsAFlightRecording(t *testing.T) {
	browser := newBrowser(t)
	see(t, browser, chromedp.Navigate(newViewer(t, recorded(t))))
	see(t, browser, chromedp.Poll[bool](`document.querySelector("#trace-viewer")?.model?.processes !== undefined`))
	assert.Equal(t, slices, see(t, browser, chromedp.Evaluate[map[string]string](inModel)))
	assert.Equal(t, arrows, see(t, browser, chromedp.Evaluate[[]string](flows)))
	assert.Empty(t, see(t, browser, chromedp.Evaluate[[]string](warnings)))
	screenshot(t, browser, "flight.png", lookAtLate)
}
