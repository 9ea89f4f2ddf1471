package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/goevlib/ev"
)

// follower prints the data that is appended to one file. It belongs to the
// loop.
type follower struct {
	name    string // as given
	path    string // without symbolic links, if it could be resolved
	watch   *ev.Stat
	printer *printer
	fail    func(error) // ends the program

	file    *os.File // the file that is followed now; its name may have changed or gone
	offset  int64    // of the end of the printed part
	missing bool     // and it was reported
}

func newFollower(loop *ev.Loop, name string, interval time.Duration, p *printer, fail func(error)) *follower {
	f := &follower{name: name, path: name, printer: p, fail: fail}
	if path, err := filepath.EvalSymlinks(name); err == nil {
		f.path = path
	}
	f.watch = ev.NewStat(loop, f.path, interval, f.changed, ev.Name(name))
	return f
}

// start begins to watch, then prints the last lines. Data that is appended
// later is a change.
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

// follow first checks whether there is a new file, and then reads the old one
// to its end. So data that was written to it before it was replaced is not
// lost.
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

// is reports whether info describes the file that is followed.
func (f *follower) is(info fs.FileInfo) bool {
	followed, err := f.file.Stat()
	return err == nil && os.SameFile(followed, info)
}

// open switches to the file that has the path now. It refuses a pipe, which
// would make the loop wait for its writer.
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

// lost reports, once, that there is no file to follow. A file that was followed
// stays open, because it may be written to until there is another.
func (f *follower) lost(err error) {
	if !f.missing {
		complain("%s cannot be followed: %v; waiting for it", f.name, err)
	}
	f.missing = true
}

// print prints new data. It stops at the present end of the file, so that a
// busy writer does not keep the loop here. Later data is another change.
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
