package evprom_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev/evprom"
)

// series has the values of a scrape, by their names in Prometheus, such as
// `ev_loop_parks_total{loop="main"}`.
type series map[string]float64

// with returns the names that contain the text.
func (s series) with(part string) (names []string) {
	for name := range s {
		if strings.Contains(name, part) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func seriesOf(families []*dto.MetricFamily) series {
	all := make(series)
	for _, f := range families {
		for _, m := range f.Metric {
			switch {
			case m.Counter != nil:
				all[nameOf(f, "", m)] = m.Counter.GetValue()
			case m.Gauge != nil:
				all[nameOf(f, "", m)] = m.Gauge.GetValue()
			case m.Histogram != nil:
				all[nameOf(f, "_count", m)] = float64(m.Histogram.GetSampleCount())
				all[nameOf(f, "_sum", m)] = m.Histogram.GetSampleSum()
				for _, b := range m.Histogram.Bucket {
					le := "le=" + fmt.Sprintf("%q", fmt.Sprint(b.GetUpperBound()))
					all[nameOf(f, "_bucket", m, le)] = float64(b.GetCumulativeCount())
				}
			}
		}
	}
	return all
}

func nameOf(f *dto.MetricFamily, suffix string, m *dto.Metric, more ...string) string {
	var labels []string
	for _, l := range m.Label {
		labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	return f.GetName() + suffix + "{" + strings.Join(append(labels, more...), ",") + "}"
}

// newRegistry returns a registry that also checks the collected metrics against the descriptions.
func newRegistry(t *testing.T) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	require.NoError(t, r.Register(evprom.NewCollector()))
	return r
}

func gather(t *testing.T, r prometheus.Gatherer) series {
	families, err := r.Gather()
	require.NoError(t, err)
	return seriesOf(families)
}

// newServer serves metrics as a program would.
func newServer(t *testing.T) (url string) {
	handler := promhttp.HandlerFor(newRegistry(t), promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError})
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// scrape gets and parses metrics as Prometheus would.
func scrape(t *testing.T, url string) series {
	t.Helper()
	got, err := tryScrape(url)
	require.NoError(t, err)
	return got
}

func tryScrape(url string) (series, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	format := expfmt.ResponseFormat(response.Header)
	if response.StatusCode != http.StatusOK || format.FormatType() != expfmt.TypeTextPlain {
		text, err := io.ReadAll(response.Body)
		return nil, fmt.Errorf("%s, %s: %s, %w", response.Status, format, text, err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(response.Body)
	return seriesOf(slices.Collect(maps.Values(families))), err
}
