//go:build !linux

package main

func readyFigures() []figure { return nil }
