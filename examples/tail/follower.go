package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/goevlib/ev"
)

// follower prints what one file grows by. It belongs to the loop.
type follower struct {
	name    string // as given
	path    string // without symbolic links, if it could be resolved
	watch   *ev.Stat
	printer *printer
	fail    func(error) // ends the program

	file    *os.File // what is followed now; it may have another name by now, or none
	offset  int64    // up to where it is printed
	missing bool     // and it was said
}

func newFollower(loop *ev.Loop, name string, interval time.Duration, p *printer, fail func(error)) *follower {
	f := &follower{name: name, path: name, printer: p, fail: fail}
	if path, err := filepath.EvalSymlinks(name); err == nil {
		f.path = path
	}
	f.watch = ev.NewStat(loop, f.path, interval, f.changed, ev.Name(name))
	return f
}

// start begins to watch, then prints the last lines: what is appended after
// that is a change.
func (f *follower) start(lines int) error {
	if err := f.watch.Start(); err != nil {
		return err
	}
	if info, err := os.Stat(f.path); err == nil && info.IsDir() {
		return fmt.Errorf("%s is a directory", f.name)
	}
	if err := f.open(); err != nil {
		f.lost(err)
		return nil
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	f.offset, err = lastLines(f.file, info.Size(), lines)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	return f.print()
}

func (f *follower) changed(*ev.Stat) {
	if err := f.follow(); err != nil {
		f.fail(err)
	}
}

// follow looks first whether there is a new file, and then reads the old one to
// its end: what was written to it before it was replaced is not lost so.
func (f *follower) follow() error {
	info, err := os.Stat(f.path)
	if err := f.print(); err != nil {
		return err
	}
	switch {
	case err != nil:
		f.lost(err)
		return nil
	case f.file != nil && f.is(info):
		f.missing = false // renamed, and renamed back
		return nil
	}
	replaced := f.file != nil
	if err := f.open(); err != nil {
		f.lost(err)
		return nil
	}
	if replaced {
		complain("%s has been replaced; following the new file", f.name)
	} else {
		complain("%s has appeared; following it", f.name)
	}
	f.missing = false
	return f.print()
}

// is reports whether this is the file that is followed.
func (f *follower) is(info fs.FileInfo) bool {
	followed, err := f.file.Stat()
	return err == nil && os.SameFile(followed, info)
}

// open goes over to the file that has the path now. A pipe would have the loop
// wait for its writer.
func (f *follower) open() error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", f.path)
	}
	file, err := os.Open(f.path)
	if err != nil {
		return err
	}
	if f.file != nil {
		f.file.Close()
	}
	f.file, f.offset = file, 0
	return nil
}

// lost says that there is no file to follow, once. One that was followed stays
// open: it may be written to until there is another.
func (f *follower) lost(err error) {
	if !f.missing {
		complain("%s cannot be followed: %v; waiting for it", f.name, err)
	}
	f.missing = true
}

// print prints what is new. It stops where the file ends now, so that a busy
// writer does not keep the loop here: what comes later is another change.
func (f *follower) print() error {
	if f.file == nil {
		return nil
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.offset {
		complain("%s has been truncated", f.name)
		f.offset = 0
	}
	n, err := f.printer.print(f.name, f.file, f.offset, info.Size())
	f.offset += n
	return err
}
