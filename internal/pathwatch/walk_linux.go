package pathwatch

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links the kernel follows in a path.
const maxLinks = 40

// walk watches everything that the meaning of the path depends on, as the kernel would
// resolve it. It reports whether the kernel has events for all changes there, and fails
// when something cannot be watched.
func (in *inotify) walk(w *Watch) (reliable bool, err error) {
	at, names := "/", split(w.path.Name)
	if strings.HasSuffix(w.path.Name, "/") {
		names = append(names, ".") // a link is followed then
	}
	reliable = true
	for links := 0; len(names) > 0; {
		name, next := names[0], strings.TrimSuffix(at, "/")+"/"+names[0]
		if err := in.add(w, at, name, dirMask); err != nil {
			return reliable, unlessMissing(err)
		}
		reliable = reliable && isLocal(at)
		if len(names) == 1 && !w.path.Follow {
			at = next
			break
		}
		to, err := os.Readlink(next)
		switch {
		case err == nil && links == maxLinks:
			return reliable, nil
		case err == nil:
			links++
			if strings.HasPrefix(to, "/") {
				at = "/"
			}
			names = append(split(to), names[1:]...)
		case errors.Is(err, unix.EINVAL): // not a link
			at, names = next, names[1:]
		default:
			return reliable, unlessMissing(err)
		}
	}
	mask, complete, err := targetMask(at)
	if err == nil {
		err = in.add(w, at, "", mask)
	}
	if err != nil {
		return reliable, unlessMissing(err)
	}
	return reliable && complete && isLocal(at), nil
}

// unlessMissing returns nil if something does not exist, or is a file where the path
// needs a directory. The directory before it is watched: when it appears, or if it
// vanished just now, there is an event.
func unlessMissing(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}

func split(path string) (names []string) {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

const (
	entryMask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO
	dirMask   = entryMask | unix.IN_ATTRIB        // the right to pass may have changed
	linkMask  = unix.IN_MOVE_SELF                 // also of another hard link, which sets the ctime
	goneMask  = unix.IN_IGNORED | unix.IN_UNMOUNT // they come in any case
)

// targetMask returns the mask for the inode at the end of the path, and whether it has
// events for all changes.
//
// A directory has events of the files in it, too, so its mask is as small as possible.
// IN_MODIFY is not in it, or the loop would wake for each write to any of the files.
// IN_ATTRIB is not in it where the parent's watch reports that.
//
// A device has events of the data that is written to it, which need not change its inode
// (/dev/null is written to all the time). The real changes, such as the times of a
// terminal, have no event.
func targetMask(at string) (mask uint32, complete bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(at, &st); err != nil {
		return 0, false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		mask = entryMask | linkMask
		if !parentReports(at) {
			mask |= unix.IN_ATTRIB
		}
		return mask, true, nil
	case unix.S_IFCHR, unix.S_IFBLK:
		return unix.IN_ATTRIB | linkMask, false, nil
	}
	return unix.IN_ATTRIB | unix.IN_MODIFY | linkMask, true, nil
}

// parentReports reports whether the directory that at was looked up in has an event, with
// the name, for what happens to at. The root of a mount has no such parent: it is in
// another place, or nowhere. By the name "." or ".." a directory was looked up in itself
// or below, but then it is on the way and has IN_ATTRIB in its mask.
func parentReports(at string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, at, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	known := st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 // since Linux 5.8
	return err == nil && known && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0
}

// isLocal reports whether every change on the file system of path goes through this
// kernel. A type that is not in the list may be remote, or make up its contents when it is
// read.
func isLocal(path string) bool {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC,
		unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.OVERLAYFS_SUPER_MAGIC, unix.MSDOS_SUPER_MAGIC,
		unix.EXFAT_SUPER_MAGIC, unix.REISERFS_SUPER_MAGIC, unix.NILFS_SUPER_MAGIC, unix.SQUASHFS_MAGIC,
		unix.ISOFS_SUPER_MAGIC, unix.EROFS_SUPER_MAGIC_V1, unix.UDF_SUPER_MAGIC, unix.JFFS2_SUPER_MAGIC,
		jfsMagic, ntfsMagic, zfsMagic, bcachefsMagic:
		return true
	}
	return false
}

// These are not in golang.org/x/sys/unix.
const (
	jfsMagic      = 0x3153464a
	ntfsMagic     = 0x7366746e // ntfs3, the kernel's own
	zfsMagic      = 0x2fc12fc1
	bcachefsMagic = 0xca451a4e
)
