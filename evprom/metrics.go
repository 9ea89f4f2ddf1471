package evprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/goevlib/ev/evmeter"
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"loop"}, labels...), nil)
}

// metric is one number of a loop.
type metric struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string // values of the labels besides "loop"
	value  func(r evmeter.Reading) float64
}

func counter(name, help string, value func(evmeter.Reading) float64) metric {
	return metric{describe(name, help), prometheus.CounterValue, nil, value}
}

func gauge(name, help string, value func(evmeter.Reading) float64) metric {
	return metric{describe(name, help), prometheus.GaugeValue, nil, value}
}

var wakeups = describe("ev_loop_wakeups_total", "Wake-ups of the parked loop by senders.", "via")

var metrics = []metric{
	counter("ev_loop_iterations_total", "Iterations begun.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.Iterations) }),
	counter("ev_loop_parks_total", "Times that the loop went to sleep.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.Parks) }),
	{wakeups, prometheus.CounterValue, []string{"write"},
		func(r evmeter.Reading) float64 { return float64(r.Stats.FDWrites) }},
	{wakeups, prometheus.CounterValue, []string{"direct"},
		func(r evmeter.Reading) float64 { return float64(r.Stats.DirectWakes) }},
	counter("ev_loop_requests_collected_total", "Requests of other goroutines collected: bursts of sends, of posts, of signals.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.Collected) }),
	counter("ev_loop_callbacks_total", "Callbacks made, posted functions included.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.Callbacks) }),
	counter("ev_loop_interest_changes_total", "Changes of interest in descriptors, passed to the kernel.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.InterestChanges) }),
	counter("ev_loop_timerfd_sets_total", "Times that the kernel's timer was set.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.TimerfdSets) }),
	counter("ev_loop_observed_seconds_total", "Time for which the loop was measured.",
		func(r evmeter.Reading) float64 { return r.Observed.Seconds() }),
	counter("ev_loop_busy_seconds_total", "Measured time for which the loop was in Run and did not sleep.",
		func(r evmeter.Reading) float64 { return r.Busy.Seconds() }),
	gauge("ev_loop_watchers_active", "Active watchers.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.Active) }),
	gauge("ev_loop_callbacks_pending", "Pending callbacks.",
		func(r evmeter.Reading) float64 { return float64(r.Stats.Pending) }),
	gauge("ev_loop_running", "Whether a goroutine is in Run.",
		func(r evmeter.Reading) float64 { return truth(r.Running) }),
	gauge("ev_loop_parked", "Whether the loop sleeps in Run.",
		func(r evmeter.Reading) float64 { return truth(r.Parked) }),
	gauge("ev_loop_callback_in_progress_seconds", "How long the callback in progress has run; 0 if there is none, or if it is in a nested Run.",
		func(r evmeter.Reading) float64 { return inProgress(r).Seconds() }),
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// inProgress returns 0 while the callback is in a nested Run: the loop goes on in that Run, and is
// not stuck.
func inProgress(r evmeter.Reading) time.Duration {
	if c := r.Current(); c != nil {
		return c.Took
	}
	return 0
}

var histograms = []struct {
	desc  *prometheus.Desc
	value func(r evmeter.Reading) evmeter.Histogram
}{
	{describe("ev_loop_callback_duration_seconds", "Durations of callbacks."),
		func(r evmeter.Reading) evmeter.Histogram { return r.Callback }},
	{describe("ev_loop_timer_lag_seconds", "From when a timer was due until its callback began."),
		func(r evmeter.Reading) evmeter.Histogram { return r.Lag }},
	{describe("ev_loop_wakeup_latency_seconds", "From the Send that found the loop asleep until it ran."),
		func(r evmeter.Reading) evmeter.Histogram { return r.Wakeup }},
}

// cumulated returns, for each bound in seconds, the number of durations up to it. Durations above
// all bounds are in the histogram's count only.
func cumulated(h evmeter.Histogram) map[float64]uint64 {
	bounds := h.Bounds()
	buckets, sum := make(map[float64]uint64, len(bounds)), uint64(0)
	for i, bound := range bounds {
		sum += h.Counts[i]
		buckets[bound.Seconds()] = sum
	}
	return buckets
}

var (
	callbackCalls = describe("ev_callback_calls_total", "Callbacks that have ended.", "kind", "watcher")
	callbackTime  = describe("ev_callback_seconds_total", "Time spent in callbacks that have ended.", "kind", "watcher")
)

// send makes the metrics. The constructors cannot fail: the labels are valid.
func (s sample) send(out chan<- prometheus.Metric) {
	for _, m := range metrics {
		labels := append([]string{s.loop}, m.labels...)
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(s.Reading), labels...)
	}
	for _, h := range histograms {
		v := h.value(s.Reading)
		out <- prometheus.MustNewConstHistogram(h.desc, v.Count, v.Sum.Seconds(), cumulated(v), s.loop)
	}
	for _, w := range s.watchers {
		out <- prometheus.MustNewConstMetric(callbackCalls, prometheus.CounterValue, float64(w.calls), s.loop, w.kind, w.watcher)
		out <- prometheus.MustNewConstMetric(callbackTime, prometheus.CounterValue, w.took.Seconds(), s.loop, w.kind, w.watcher)
	}
}
