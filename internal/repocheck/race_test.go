//go:build race

package repocheck

const raceEnabled = true
