//go:build unix

package main

var systemMakers = []func(*room) (*kind, error){newStreams, newSignals, newChildren}
