package ev_test

import "golang.org/x/sys/unix"

// Some architectures have dup3 only.
func dup2(from, to int) error { return unix.Dup3(from, to, unix.O_CLOEXEC) }
