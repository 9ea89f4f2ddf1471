package main

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestEverySituationIsMeasured(t *testing.T) { measureAll(t, situationFigures()) }
func TestEveryTimerIsMeasured(t *testing.T)     { measureAll(t, timerFigures()) }

func measureAll(t *testing.T, figures []figure) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	for _, f := range figures {
		for _, c := range f.rivals {
			t.Run(f.name+"/"+c.name, func(t *testing.T) {
				values, err := c.run(true)
				var skip skipped
				if errors.As(err, &skip) {
					t.Skip(skip)
				}
				if err != nil {
					t.Fatal(err)
				}
				if len(values) != len(f.columns) {
					t.Fatalf("%d values for the columns %q", len(values), f.columns)
				}
				if values[0] <= 0 {
					t.Errorf("not plausible: %v", values)
				}
			})
		}
	}
}

func TestPercentiles(t *testing.T) {
	var samples []time.Duration
	for i := 1000; i >= 0; i-- {
		samples = append(samples, time.Duration(i)*time.Microsecond)
	}
	got := percentiles(samples)
	if !slices.Equal(got, []float64{500, 900, 990, 999}) {
		t.Error(got)
	}
}

func TestBoxMeasuresEverySend(t *testing.T) {
	b := newBox()
	b.stamp()
	b.answer()
	b.forget()
	b.stamp()
	b.stamp()
	b.answer()
	b.answer()
	latencies, err := b.settled()
	if err != nil || len(latencies) != 2 || latencies[0] < latencies[1] {
		t.Error(latencies, err)
	}
}
