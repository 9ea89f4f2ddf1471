package ev

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is how many symbolic links the kernel follows in a path.
const maxLinks = 40

// walk watches everything that the meaning of the path depends on, as the kernel
// would resolve it. It reports whether the kernel tells of all changes there, and
// fails when something cannot be watched.
func (in *inotify) walk(s *Stat) (told bool, err error) {
	at, names := "/", split(s.at)
	if strings.HasSuffix(s.at, "/") {
		names = append(names, ".") // a link is followed then
	}
	told = true
	for links := 0; len(names) > 0; {
		name, next := names[0], strings.TrimSuffix(at, "/")+"/"+names[0]
		if err := in.add(s, at, name, wayMask); err != nil {
			return told, unlessGone(err)
		}
		told = told && isLocal(at)
		if len(names) == 1 {
			at = next
			break
		}
		to, err := os.Readlink(next)
		switch {
		case err == nil && links == maxLinks:
			return told, nil
		case err == nil:
			links++
			if strings.HasPrefix(to, "/") {
				at = "/"
			}
			names = append(split(to), names[1:]...)
		case errors.Is(err, unix.EINVAL): // not a link
			at, names = next, names[1:]
		default:
			return told, unlessGone(err)
		}
	}
	mask, tells, err := endsMask(at)
	if err == nil {
		err = in.add(s, at, "", mask)
	}
	if err != nil {
		return told, unlessGone(err)
	}
	return told && tells && isLocal(at), nil
}

// unlessGone takes it for an answer that something does not exist, or that a file
// is where a directory should be. The directory before it is watched: when it
// comes, or if it went just now, there is an event.
func unlessGone(err error) error {
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
	wayMask   = entryMask | unix.IN_ATTRIB        // who may pass has changed, perhaps
	linkMask  = unix.IN_MOVE_SELF                 // also of another hard link: the time of its change is now
	goneMask  = unix.IN_IGNORED | unix.IN_UNMOUNT // they come unasked
)

// endsMask returns what to ask of the inode that the path ends at, and whether that
// tells of all changes.
//
// A directory reports the same of the files in it, too, so it is asked for as
// little as possible: not for IN_MODIFY, or the loop would wake for each write to
// any of them, and not for IN_ATTRIB where the parent's watch tells.
//
// A device reports the data that is written to it, which need not change its inode
// (/dev/null is written to all the time). What does change, the times of a terminal
// for example, makes no event.
func endsMask(at string) (mask uint32, tells bool, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(at, &st); err != nil {
		return 0, false, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		mask = entryMask | linkMask
		if !parentTells(at) {
			mask |= unix.IN_ATTRIB
		}
		return mask, true, nil
	case unix.S_IFCHR, unix.S_IFBLK:
		return unix.IN_ATTRIB | linkMask, false, nil
	}
	return unix.IN_ATTRIB | unix.IN_MODIFY | linkMask, true, nil
}

// parentTells reports whether what happens to the directory at is an event, with its
// name, of the directory that it was looked up in. That is not so for the root of a
// mount, whose parent is in another place, or nowhere. By the name "." or ".." it was
// looked up in itself or below, but then it is on the way, and asked for IN_ATTRIB.
func parentTells(at string) bool {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, at, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, 0, &st)
	known := st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 // since Linux 5.8
	return err == nil && known && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT == 0
}

// isLocal reports whether the kernel knows of all that happens on the file system
// of path. One that is not in the list may be a remote one, or make up its
// contents as it is read.
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

// Those that golang.org/x/sys/unix does not have.
const (
	jfsMagic      = 0x3153464a
	ntfsMagic     = 0x7366746e // ntfs3, the kernel's own
	zfsMagic      = 0x2fc12fc1
	bcachefsMagic = 0xca451a4e
)
