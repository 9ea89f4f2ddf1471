//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package ev

// statNotice is nothing: a Stat polls here.
type statNotice struct{}

func (statNotice) open(*Stat)       {}
func (statNotice) watch(*Stat) bool { return false }
func (statNotice) close(*Stat)      {}
func (statNotice) retry() bool      { return false }
