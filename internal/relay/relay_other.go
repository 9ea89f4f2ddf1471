//go:build !linux

package relay

import "errors"

// Supported reports whether there are files that need a relay.
const Supported = false

func Needed(int) (bool, error) { return false, nil }

type Set struct{}

func NewSet() (*Set, error)            { return nil, errors.ErrUnsupported }
func (*Set) FD() int                   { return -1 }
func (*Set) Relay(int) (*Relay, error) { return nil, errors.ErrUnsupported }
func (*Set) Ready() []*Relay           { return nil }
func (*Set) Close()                    {}

type Relay struct{}

func (*Relay) FD() int      { return -1 }
func (*Relay) Broken() bool { return false }
func (*Relay) Holds() bool  { return false }
func (*Relay) Close()       {}
