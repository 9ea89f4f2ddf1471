package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/goevlib/ev"
)

// watched is a file that grows and is replaced, and the Stat on it.
type watched struct {
	room *room
	path string
	stat *ev.Stat

	mu   sync.Mutex
	size int // guarded by mu
}

func newStats(r *room) (*kind, error) {
	f := &watched{room: r, path: filepath.Join(r.dir, "watched")}
	f.stat = ev.NewStat(r.loop, f.path, 20*time.Millisecond, func(*ev.Stat) {})
	if err := f.stat.Start(); err != nil {
		return nil, err
	}
	return &kind{name: "Stat", load: f.load, turn: f.turn, settle: f.owed}, nil
}

func (f *watched) load(p *pusher) {
	if !p.one(64) { // the file system is slower than the loop
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := f.path
	if f.size == 0 || f.size > 1<<14 {
		path += ".new"
		f.size = 0
	}
	n := 1 + p.rng.IntN(1<<10)
	if err := add(path, n); err != nil {
		f.room.fault("%w", err)
		return
	}
	f.size += n
	if path != f.path {
		if err := os.Rename(path, f.path); err != nil {
			f.room.fault("%w", err)
		}
	}
}

func add(path string, n int) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(make([]byte, n))
	return err
}

func (f *watched) turn() {
	if f.stat.Active() {
		f.stat.Stop()
	} else {
		f.room.refused(f.stat.Start())
	}
}

func (f *watched) owed() error {
	f.room.refused(f.stat.Start())
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.stat.Current(); f.size > 0 && (now == nil || now.Size() != int64(f.size)) {
		return fmt.Errorf("the file has %d bytes, and was last seen as %v", f.size, now)
	}
	return nil
}
