//go:build !linux

package ev

// statNotice is nothing: a Stat polls here. kqueue's EVFILT_VNODE is not used: it
// wants a descriptor open for each file, and cannot tell what appears.
type statNotice struct{}

func (statNotice) open(*Stat)       {}
func (statNotice) watch(*Stat) bool { return false }
func (statNotice) close(*Stat)      {}
func (statNotice) incomplete() bool { return false }
