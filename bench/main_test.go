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
	if len(m.errs) > 0 || len(m.medians) != 2 {
		t.Fatalf("%v, %v", m.medians, m.errs)
	}
	for name, values := range m.medians {
		if len(values) != len(f.columns) || values[0] <= 0 {
			t.Errorf("%s: %v", name, values)
		}
	}
	f.rivals = []contestant{{name: "nobody"}}
	if m := measure(f, 2, true, io.Discard); len(m.errs) != 1 {
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

func TestMedians(t *testing.T) {
	if got := medians([][]float64{{1, 9}, {3, 7}, {2, 8}}); !slices.Equal(got, []float64{2, 8}) {
		t.Error(got)
	}
	if got := medians([][]float64{{1}, {4}}); !slices.Equal(got, []float64{2.5}) {
		t.Error(got)
	}
}

func TestRoundsThatDisagreeAreUnsteady(t *testing.T) {
	if got := unsteady([][]float64{{1, 5}, {2, 11}, {1.5, 6}}); !slices.Equal(got, []bool{false, true}) {
		t.Error(got)
	}
}

// sample is a figure with a target that is missed by a ratio of 2 to 1.5.
func sample() measured {
	return measured{
		figure: figure{
			group: "Group", name: "name", columns: []string{"ns/op", "allocs/op"},
			targets: []target{{what: "ev", over: "rival", bound: 1.5, slack: 1.2}},
			rivals:  []contestant{{name: "ev"}, {name: "rival"}, {name: "absent"}, {name: "slow"}},
		},
		medians:  map[string][]float64{"ev": {20, 0}, "rival": {10, 1}, "slow": {2000, 1}},
		unsteady: map[string][]bool{"slow": {true, true}},
		skipped:  map[string]string{"absent": "not installed"},
	}
}

func TestTheGuardNamesWhatIsMissedByMoreThanItsSlack(t *testing.T) {
	m := sample()
	err := guard([]measured{m})
	if err == nil {
		t.Fatal("nothing is missed")
	}
	for _, word := range []string{"Group/name", "×2.00", "×1.50"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %s", err, word)
		}
	}
	m.medians["ev"][0] = 17
	if err := guard([]measured{m}); err != nil {
		t.Error(err)
	}
	if worst(m) > 1 {
		t.Error(worst(m))
	}
}

func TestTheReportHasRatiosMissesAndWhoIsAbsent(t *testing.T) {
	var out bytes.Buffer
	r := report{machine: inspect([]string{"-rounds", "1"}), measured: []measured{sample()}}
	if err := r.markdown(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| name | ns/op | 20 | 10 (×2) | 2000~ (×0.01) |",
		"| name | allocs/op | 0 | 1 | 1 |",
		"| Group/name | ev / rival, ns/op | ×2.00 | ×1.50 | **missed** |",
		"Group/name: absent: not installed",
		"go run -C bench . -rounds 1",
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
	if err != nil || !bytes.Contains(page, []byte("# Performance")) {
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
