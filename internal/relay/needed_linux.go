package relay

import (
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Supported reports whether there are files that need a relay.
const Supported = true

// Needed reports whether the file of fd needs a relay. It returns an error if fd is not open.
// Sockets, pipes, terminals and directories need none, and have a type. Other files are
// recognized by name.
func Needed(fd int) (bool, error) {
	var st unix.Stat_t
	err := ignoringEINTR(func() error { return unix.Fstat(fd, &st) })
	if err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	switch st.Mode & unix.S_IFMT {
	case 0: // an anonymous inode
		return fileName(fd) == "anon_inode:[perf_event]", nil
	case unix.S_IFREG:
		// These file systems are on no device. So neither the disk is asked, nor most of
		// the servers that may not answer.
		return unix.Major(uint64(st.Dev)) == 0 && reportsChanges(fd), nil
	}
	return false, nil
}

func fileName(fd int) string {
	name, _ := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return name
}

func reportsChanges(fd int) bool {
	var fs unix.Statfs_t
	if ignoringEINTR(func() error { return unix.Fstatfs(fd, &fs) }) != nil {
		return false
	}
	switch uint32(fs.Type) {
	case unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return true
	case unix.PROC_SUPER_MAGIC:
		return procReportsChanges(fileName(fd))
	}
	return false
}

// procReportsChanges looks at the last names only: proc may be mounted anywhere.
func procReportsChanges(name string) bool {
	dir, base := path.Split(name)
	dirs := strings.Split(strings.Trim(dir, "/"), "/")
	switch base {
	case "mounts", "mountinfo", "swaps", "mdstat":
		return true
	}
	return dirs[len(dirs)-1] == "pressure" || slices.Contains(dirs, "sys")
}

func ignoringEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
