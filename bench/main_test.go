package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain makes the test binary a contestant if its environment says so.
func TestMain(m *testing.M) {
	if os.Getenv(figureEnv) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestFiguresNameWhatThereIs(t *testing.T) {
	seen := map[string][]string{}
	for _, f := range figures() {
		if seen[f.key()] != nil {
			t.Errorf("%s is there twice", f.key())
		}
		for _, c := range f.rivals {
			if slices.Contains(seen[f.key()], c.name) {
				t.Errorf("%s has %s twice", f.key(), c.name)
			}
			seen[f.key()] = append(seen[f.key()], c.name)
		}
		if !slices.Contains(seen[f.key()], yardstick) || len(f.columns) == 0 {
			t.Errorf("%s: nothing of ours is measured", f.key())
		}
		for _, target := range f.targets {
			if !slices.Contains(seen[f.key()], target.what) || target.over != "" && !slices.Contains(seen[f.key()], target.over) ||
				target.column >= len(f.columns) || target.bound <= 0 {
				t.Errorf("%s: a target that cannot be judged: %+v", f.key(), target)
			}
		}
	}
}

func TestAFigureIsMeasuredInProcessesOfItsOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a second")
	}
	f := figures()[0]
	f.rivals = f.rivals[:2]
	m := measure(f, 1, true, io.Discard)
	if len(m.errs) > 0 || len(m.rounds) != 2 {
		t.Fatalf("%v, %v", m.rounds, m.errs)
	}
	for name, rounds := range m.rounds {
		if len(rounds) != 1 || len(rounds[0]) != len(f.columns) || rounds[0][0] <= 0 {
			t.Errorf("%s: %v", name, rounds)
		}
	}
	f.rivals = []contestant{{name: "nobody"}}
	if m := measure(f, 2, true, io.Discard); len(m.errs) != 1 || len(m.rounds) != 0 {
		t.Errorf("%v, not that there is no such contestant", m.errs)
	}
}

func TestAnAnswerIsValuesAReasonOrAnError(t *testing.T) {
	if values, err := read([]byte(`{"Values":[1,2]}`), 2); err != nil || !slices.Equal(values, []float64{1, 2}) {
		t.Error(values, err)
	}
	var reason skipped
	if _, err := read([]byte(`{"Skipped":"not installed"}`), 1); !errors.As(err, &reason) || reason != "not installed" {
		t.Error(err)
	}
	for _, out := range []string{`{"Error":"lost"}`, `{"Values":[1,2]}`, `panic`, ``} {
		if _, err := read([]byte(out), 1); err == nil || errors.As(err, &reason) {
			t.Errorf("%s: %v", out, err)
		}
	}
}

func TestAnIntervalGoesAsFarAsItsConfidenceNeeds(t *testing.T) {
	for n, want := range map[int]interval{
		1: {1, 1, 1}, 2: {1.5, 1, 2}, 3: {2, 1, 3}, 5: {3, 1, 5}, 6: {3.5, 1, 6}, 9: {5, 2, 8},
	} {
		var values []float64
		for i := range n {
			values = append(values, float64(n-i))
		}
		if got := estimate(values); got != want {
			t.Errorf("%d rounds: %v, not %v", n, got, want)
		}
		if values[0] != float64(n) {
			t.Error("the rounds are in another order:", values)
		}
	}
	for n, want := range map[int]float64{1: 0, 2: 0.5, 3: 0.75, 5: 0.9375, 6: 0.95, 20: 0.95} {
		if got := confidence(n); got != want {
			t.Errorf("%d rounds give a confidence of %v, not %v", n, got, want)
		}
	}
}

func TestAnIntervalIsPrintedWithThePrecisionThatItHas(t *testing.T) {
	for _, c := range []struct {
		interval
		spread, ends string
	}{
		{interval{100, 97, 101}, " ±3%", "97–101"},
		{interval{10, 9.98, 10.04}, "", "9.98–10"},
		{interval{2, 2, 2}, "", "2"},
		{interval{0, 0, 0}, "", "0"},
	} {
		if c.interval.spread() != c.spread || c.String() != c.ends {
			t.Errorf("%q and %q, not %q and %q", c.interval.spread(), c, c.spread, c.ends)
		}
	}
}

// sample is a figure of two rounds. In both, the second of which has a slower
// machine, ev takes twice as long as its rival. Targets: missed, met, undecided.
func sample() measured {
	return measured{
		figure: figure{
			group: "Group", name: "name", columns: []string{"ns/op", "allocs/op", "ops/s"},
			targets: []target{
				{what: "ev", over: "rival", bound: 1.5, slack: 1.2},
				{what: "ev", over: "rival", or: "slow", bound: 2},
				{what: "ev", bound: 20},
				{column: 2, what: "ev", over: "rival", bound: 0.5, least: true},
			},
			rivals: []contestant{{name: "ev"}, {name: "rival"}, {name: "absent"}, {name: "slow"}, {name: "like"}},
		},
		rounds: map[string][][]float64{
			"ev":    {{18, 0, 50}, {24, 0, 40}},
			"rival": {{9, 1, 100}, {12, 1, 80}},
			"slow":  {{1800, 1, 1}, {1800, 1, 1}},
			"like":  {{16, 0, 50}, {25, 0, 40}},
		},
		skipped: map[string]string{"absent": "not installed"},
	}
}

func TestTargetsAreJudgedByWholeIntervals(t *testing.T) {
	var got []string
	for _, v := range verdicts(sample()) {
		got = append(got, v.outcome())
	}
	if want := []string{"**missed**", "met", "undecided", "met"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
	m := sample()
	m.targets[3].bound = 0.51
	if v := verdicts(m)[3]; !v.missed() || v.met() {
		t.Errorf("%v is not missed", v)
	}
}

func TestRatiosCompareWithTheBetterOfTwoInEachRound(t *testing.T) {
	m := measured{rounds: map[string][][]float64{"ev": {{6}, {6}}, "a": {{2}, {9}}, "b": {{8}, {3}}}}
	if r, ok := m.ratio("ev", "a", "b", 0); !ok || r != (interval{2.5, 2, 3}) {
		t.Error(r, ok)
	}
	for _, absent := range [][3]string{{"c", "a", "b"}, {"ev", "c", "b"}, {"ev", "a", "c"}} {
		if _, ok := m.ratio(absent[0], absent[1], absent[2], 0); ok {
			t.Error(absent)
		}
	}
}

func TestTheGuardNamesWhatIsMissedByMoreThanItsSlack(t *testing.T) {
	m := sample()
	err := guard([]measured{m})
	if err == nil || !farOff(m) {
		t.Fatal("nothing is missed")
	}
	for _, word := range []string{"Group/name", "×2", "×1.5"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %s", err, word)
		}
	}
	m.rounds["ev"][1][0] = 17 // one round of two is within the slack
	if err := guard([]measured{m}); err != nil || farOff(m) {
		t.Error(err)
	}
}

func TestTheReportHasRatiosMissesAndWhoIsAbsent(t *testing.T) {
	var out bytes.Buffer
	r := report{machine: inspect([]string{"-rounds", "2"}), rounds: 2, measured: []measured{sample()}}
	if err := r.markdown(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| name | ns/op | 21 ±14% | 10.5 ±14% (×2) | 1800 (×0.01–0.0133) | 20.5 ±22% (≈) |",
		"| name | allocs/op | 0 | 1 | 1 | 0 |",
		"| Group/name | ev / rival, ns/op | ×2 | ≤ ×1.5 | **missed** |",
		"| Group/name | ev / rival or slow, ns/op | ×2 | ≤ ×2 | met |",
		"| Group/name | ev / rival, ops/s | ×0.5 | ≥ ×0.5 | met |",
		"| Group/name | ev, ns/op | 18–24 | ≤ 20 | undecided |",
		"Group/name: absent: not installed",
		"go run -C bench . -rounds 2",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, &out)
		}
	}
	file := filepath.Join(t.TempDir(), "page.md")
	if err := r.page(file); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(file)
	if err != nil || !bytes.Contains(page, []byte("# Performance")) || !bytes.Contains(page, []byte("confidence of 50 %")) {
		t.Errorf("%v\n%s", err, page)
	}
}

func TestNumbersHaveThreeDigitsThatCount(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 0.00001: "0", 0.0006: "0.0006", 0.0941: "0.0941", 0.5: "0.5", 1.234: "1.23", 12.34: "12.3", 123.4: "123", 12345: "12345",
	} {
		if got := number(x); got != want {
			t.Errorf("%v is %s, not %s", x, got, want)
		}
	}
}

func TestChartsAreDrawn(t *testing.T) {
	dir := t.TempDir()
	if _, err := (report{measured: []measured{sample()}}).draw(dir); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(dir, "group.svg"))
	if err != nil || !bytes.Contains(svg, []byte("</svg>")) {
		t.Errorf("%v: %.100s", err, svg)
	}
}
