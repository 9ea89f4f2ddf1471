//go:build !windows

package pathwatch

func checkName(string, error) error { return nil }
