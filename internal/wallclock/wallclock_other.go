//go:build !linux

package wallclock

import "errors"

type Watch struct{}

func New() (*Watch, error) { return nil, errors.ErrUnsupported }
func (*Watch) FD() int     { return -1 }
func (*Watch) Reset()      {}
func (*Watch) Close()      {}
