//go:build !linux

package ev

import "errors"

// watchClock is for systems that tell when the wall clock is set.
func (l *Loop) watchClock() (stop func(), err error) { return nil, errors.ErrUnsupported }
