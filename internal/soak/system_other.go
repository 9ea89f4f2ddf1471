//go:build !unix

package main

var systemMakers []func(*room) (*kind, error)

func keepFromSignals() (stop func()) { return func() {} }
