package faults

import (
	"fmt"
	"testing"
)

// The runtime has extreme settings: of processors, of preemption, of garbage
// collection.
func TestEverythingArrivesHoweverTheRuntimeIsSet(t *testing.T) {
	settings := []string{"GOGC=1", "GODEBUG=asyncpreemptoff=1"}
	for procs := range 8 {
		settings = append(settings, fmt.Sprint("GOMAXPROCS=", procs+1))
	}
	for _, setting := range settings {
		t.Run(setting, func(t *testing.T) {
			if alone(t, setting) {
				underLoad(t, 10_000)
			}
		})
	}
}

// One processor, no preemption, and constant garbage collection.
func TestEverythingArrivesAtTheWorstOfSettings(t *testing.T) {
	if alone(t, "GOMAXPROCS=1", "GOGC=1", "GODEBUG=asyncpreemptoff=1") {
		underLoad(t, 10_000)
	}
}
