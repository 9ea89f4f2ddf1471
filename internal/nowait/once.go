//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package nowait

// maxOnce is how much a system call gets: some systems refuse more than 1<<31-1 bytes.
const maxOnce = 1 << 30
