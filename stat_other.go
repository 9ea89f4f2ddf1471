//go:build !linux

package ev

// statNotice is nothing: a Stat polls here. What kqueue has (EVFILT_VNODE) needs
// a set of descriptors.
type statNotice struct{}

func (statNotice) open(*Stat)       {}
func (statNotice) watch(*Stat) bool { return false }
func (statNotice) close(*Stat)      {}
func (statNotice) incomplete() bool { return false }
