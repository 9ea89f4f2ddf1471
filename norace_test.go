//go:build !race

package ev_test

const raceEnabled = false
