//go:build !race

package repocheck

const raceEnabled = false
