//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package ev

import (
	"errors"
	"os"
)

// notifier does not exist here: no backend has descriptors.
type notifier struct{}

func openNotifier() (*notifier, func(), error) { return nil, nil, errors.ErrUnsupported }
func (n *notifier) dup() (*os.File, error)     { return nil, errors.ErrUnsupported }
func (n *notifier) watch(*Async)               {}
func (n *notifier) unwatch()                   {}
