package ev_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// The tests change the files that paths name, or their sizes. They do not change
// contents alone: the granularity of the file system's times can hide that.

// statLog has a Stat for a path, and the changes that its callbacks saw.
type statLog struct {
	*ev.Stat
	changes []string
}

// kernelTells reports whether the kernel reports changes to BackendEpoll.
var kernelTells = func() bool { return false }

// watchPath starts a Stat. Where the kernel reports changes, the interval is an hour,
// longer than any test: the Stat must work without polling.
func watchPath(t testing.TB, l *ev.Loop, path string, opts ...ev.Option) *statLog {
	t.Helper()
	interval := time.Nanosecond // raised to the shortest
	if l.Backend() == ev.BackendEpoll && kernelTells() {
		interval = time.Hour
	}
	log := &statLog{}
	log.Stat = ev.NewStat(l, path, interval, func(s *ev.Stat) {
		assert.NotEqual(t, s.Previous(), s.Current())
		assert.Equal(t, ev.StatEvent, s.Events())
		log.changes = append(log.changes, describe(s.Previous())+" -> "+describe(s.Current()))
	}, opts...)
	require.NoError(t, log.Start())
	return log
}

func describe(info fs.FileInfo) string {
	switch {
	case info == nil:
		return "nothing"
	case info.Mode().IsRegular():
		return fmt.Sprintf("%d bytes", info.Size())
	case info.IsDir():
		return "dir"
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Sprintf("link of %d", info.Size())
	}
	return info.Mode().String()
}

// sees runs the loop until the Stat has seen these changes, and no others.
func (log *statLog) sees(t testing.TB, want ...string) {
	t.Helper()
	until(t, log.Loop(), func() bool { return len(log.changes) >= len(want) })
	assert.Equal(t, want, log.changes)
	log.changes = nil
}

// until runs the loop until done is true.
func until(t testing.TB, l *ev.Loop, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for !done() {
		require.NoError(t, l.RunOnce(ctx), "what was waited for did not come")
	}
}

// quietly runs the loop for longer than the shortest interval. No Stat may be called
// meanwhile.
func quietly(t testing.TB, l *ev.Loop, logs ...*statLog) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	for ctx.Err() == nil && l.Alive() {
		_ = l.RunOnce(ctx)
	}
	for _, log := range logs {
		assert.Empty(t, log.changes)
	}
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func rename(t testing.TB, from, to string) {
	t.Helper()
	require.NoError(t, os.Rename(from, to))
}

func TestStatSeesAFileAppearGrowAndVanish(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		log := watchPath(t, l, path)
		assert.Nil(t, log.Current())
		writeFile(t, path, "")
		log.sees(t, "nothing -> 0 bytes")
		writeFile(t, path, "hello")
		log.sees(t, "0 bytes -> 5 bytes")
		require.NoError(t, os.Remove(path))
		log.sees(t, "5 bytes -> nothing")
		writeFile(t, path, "again")
		log.sees(t, "nothing -> 5 bytes")
		assert.NoError(t, log.Stat.Stat())
		quietly(t, l, log)
	})
}

func TestStatCallsBackForChangesOnly(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		writeFile(t, path, "")
		log := watchPath(t, l, path)
		assert.Equal(t, "0 bytes", describe(log.Current()))
		quietly(t, l, log)
		require.NoError(t, os.Remove(path))
		log.sees(t, "0 bytes -> nothing")
		assert.ErrorIs(t, log.Stat.Stat(), fs.ErrNotExist)
		assert.Nil(t, log.Current())
		quietly(t, l, log)
	})
}

func TestStatIsRunByTheLoopWithOtherWatchers(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		var log *statLog
		step := 0
		steps := []func(){
			func() { writeFile(t, path, "a") },
			func() { writeFile(t, path, "ab") },
			func() { writeFile(t, path, "abc") },
			func() { require.NoError(t, os.Remove(path)) },
		}
		timer := ev.NewTimer(l, 0, 0, func(timer *ev.Timer) { steps[step](); step++ })
		log = watchPath(t, l, path)
		timer.Start()
		record := ev.NewCheck(l, func(c *ev.Check) {
			switch {
			case len(log.changes) == len(steps):
				log.Stop()
				c.Stop()
			case len(log.changes) == step && !timer.Active():
				require.NoError(t, timer.Set(20*time.Millisecond, 0))
				timer.Start()
			}
		}, ev.Priority(ev.MinPriority))
		record.Start()
		tick := ev.NewTimer(l, 0, 5*time.Millisecond, func(w *ev.Timer) {
			if !log.Active() {
				w.Stop()
			}
		})
		tick.Start()
		run(t, l)
		assert.Equal(t, []string{"nothing -> 1 bytes", "1 bytes -> 2 bytes", "2 bytes -> 3 bytes", "3 bytes -> nothing"}, log.changes)
	})
}

func TestStatIntervalIsRaised(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		for _, test := range []struct{ given, effective time.Duration }{
			{0, 5007489100},
			{1, 107489100},
			{10 * time.Millisecond, 107489100},
			{time.Second, time.Second},
		} {
			s := ev.NewStat(l, "does-not-exist", test.given, func(*ev.Stat) {})
			assert.Equal(t, test.given, s.Interval())
			require.NoError(t, s.Start())
			assert.Equal(t, test.effective, s.Interval())
			assert.Nil(t, s.Current())
			s.Stop()
			require.NoError(t, s.Start())
			assert.Equal(t, test.effective, s.Interval())
			s.Stop()
		}
	})
}

func TestNewStatRefusesNonsense(t *testing.T) {
	l := newLoop(t)
	fn := func(*ev.Stat) {}
	assert.PanicsWithValue(t, "ev: NewStat: negative interval -1ns", func() { ev.NewStat(l, "x", -1, fn) })
	assert.PanicsWithValue(t, "ev: NewStat: nil loop", func() { ev.NewStat(nil, "x", 0, fn) })
	assert.PanicsWithValue(t, "ev: NewStat: nil callback", func() { ev.NewStat(l, "x", 0, nil) })
	assert.PanicsWithValue(t, "ev: Stat.SetCallback: nil callback", func() { ev.NewStat(l, "x", 0, fn).SetCallback(nil) })
}

func TestStatStartedAndStoppedManyTimes(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		writeFile(t, path, "") // a kqueue needs a descriptor of it
		log := watchPath(t, l, path)
		before := openDescriptors()
		for i := range 10 {
			log.Stop()
			log.Stop()
			writeFile(t, path, strings.Repeat("x", i))
			require.NoError(t, log.Start())
			require.NoError(t, log.Start())
			assert.Equal(t, 1, l.Active())
			nowait(t, l)
		}
		assert.Empty(t, log.changes)
		assert.LessOrEqual(t, openDescriptors(), before)
		writeFile(t, path, "the end and more")
		log.sees(t, "9 bytes -> 16 bytes")
		log.Stop()
		assert.Zero(t, l.Active())
		assert.False(t, l.Alive())
		run(t, l)
	})
}

func TestStatIgnoresOtherFilesInTheDirectory(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		here := filepath.Join(dir, "file.jsx")
		writeFile(t, here, "x")
		present, missing := watchPath(t, l, here), watchPath(t, l, filepath.Join(dir, "file"))
		for _, name := range []string{"file.js", "file.jsx.tmp", "fil", "other"} {
			other := filepath.Join(dir, name)
			writeFile(t, other, "some")
			rename(t, other, other+"~")
			require.NoError(t, os.Remove(other+"~"))
		}
		quietly(t, l, present, missing)
		writeFile(t, here, "more")
		present.sees(t, "1 bytes -> 4 bytes")
		quietly(t, l, present, missing)
	})
}

func TestManyStatsOnOnePathAreCalledInTheOrderOfTheirStarts(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		writeFile(t, path, "")
		var order []int
		for i := range 20 {
			s := ev.NewStat(l, path, 1, func(*ev.Stat) { order = append(order, i) })
			require.NoError(t, s.Start())
			defer s.Stop()
			if i == 10 {
				s.Stop()
			}
		}
		writeFile(t, path, "x")
		until(t, l, func() bool { return len(order) == 19 })
		assert.IsIncreasing(t, order)
		assert.NotContains(t, order, 10)
	})
}

func TestTwoStatsInADirectoryAreIndependent(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		a, b := watchPath(t, l, filepath.Join(dir, "a")), watchPath(t, l, filepath.Join(dir, "b"))
		writeFile(t, a.Path(), "a")
		a.sees(t, "nothing -> 1 bytes")
		quietly(t, l, a, b)
		rename(t, a.Path(), b.Path())
		a.sees(t, "1 bytes -> nothing")
		b.sees(t, "nothing -> 1 bytes")
		a.Stop()
		writeFile(t, b.Path(), "bb")
		b.sees(t, "1 bytes -> 2 bytes")
		assert.Empty(t, a.changes)
	})
}

func TestStatStoppedInItsCallbackIsNotCalledAgain(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		calls := 0
		s := ev.NewStat(l, path, 1, func(s *ev.Stat) {
			calls++
			writeFile(t, path, "and more")
			s.Stop()
		})
		require.NoError(t, s.Start())
		writeFile(t, path, "x")
		run(t, l) // the last watcher
		writeFile(t, path, "more still")
		nowait(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestStatSeesItsDirectoryGoAndComeBack(t *testing.T) {
	needsFineTimes(t)
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := filepath.Join(t.TempDir(), "a", "b")
		path := filepath.Join(dir, "file")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		writeFile(t, path, "x")
		file, parent := watchPath(t, l, path), watchPath(t, l, dir)
		require.NoError(t, os.RemoveAll(filepath.Dir(dir)))
		file.sees(t, "1 bytes -> nothing")
		parent.sees(t, "dir -> nothing")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		parent.sees(t, "nothing -> dir")
		writeFile(t, path, "xy")
		file.sees(t, "nothing -> 2 bytes")
		parent.sees(t, "dir -> dir")
		// Now they change all at once.
		require.NoError(t, os.RemoveAll(filepath.Dir(dir)))
		require.NoError(t, os.MkdirAll(dir, 0o700))
		writeFile(t, path, "xyz")
		file.sees(t, "2 bytes -> 3 bytes")
	})
}

func TestStatSeesAFileRenamedOverAnother(t *testing.T) { // as editors do when they save
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		writeFile(t, path, "old")
		log := watchPath(t, l, path)
		for i := range 3 {
			writeFile(t, path+".tmp", strings.Repeat("x", 10+i))
			rename(t, path+".tmp", path)
			until(t, l, func() bool { return len(log.changes) > 0 })
			require.Len(t, log.changes, 1)
			assert.Contains(t, log.changes[0], fmt.Sprintf("-> %d bytes", 10+i))
			log.changes = nil
		}
		writeFile(t, path, "the new file is watched")
		log.sees(t, "12 bytes -> 23 bytes")
	})
}

func TestStatSeesAFileReplacedWhileItIsOpen(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("renames nothing over a file that is open")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		writeFile(t, path, "old")
		open, err := os.Open(path) // the old file lives on
		require.NoError(t, err)
		defer open.Close()
		log := watchPath(t, l, path)
		writeFile(t, path+".tmp", "newer")
		rename(t, path+".tmp", path)
		log.sees(t, "3 bytes -> 5 bytes")
		reopened, err := os.Open(path)
		require.NoError(t, err)
		defer reopened.Close()
		require.NoError(t, os.Remove(path))
		log.sees(t, "5 bytes -> nothing")
	})
}

func TestStatSeesALogRotated(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "log")
		writeFile(t, path, "old")
		log := watchPath(t, l, path)
		rename(t, path, path+".1")
		log.sees(t, "3 bytes -> nothing")
		writeFile(t, path+".1", "the old one is nobody's business any more")
		quietly(t, l, log)
		writeFile(t, path, "n")
		log.sees(t, "nothing -> 1 bytes")
		// The changes are quicker than the loop's looks.
		rename(t, path, path+".2")
		writeFile(t, path, "ne")
		log.sees(t, "1 bytes -> 2 bytes")
		writeFile(t, path, "new")
		log.sees(t, "2 bytes -> 3 bytes")
	})
}

func TestStatSeesModesAndTimesAndLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no modes to speak of")
	}
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		writeFile(t, path, "x")
		log := watchPath(t, l, path)
		past := time.Unix(1e9, 0)
		for _, change := range []func() error{
			func() error { chmod(t, path, 0o640); return nil },
			func() error { return os.Chtimes(path, time.Now(), past) },
			func() error { return os.Chtimes(path, past, past) }, // the time of access counts
			func() error { return os.Link(path, path+".too") },
		} {
			require.NoError(t, change())
			log.sees(t, "1 bytes -> 1 bytes")
		}
		writeFile(t, path+".too", "by its other name")
		log.sees(t, "1 bytes -> 17 bytes")
	})
}

// untilTheTimeMoves waits until a change has another time than the changes before, in
// the granularity of dir's file system.
func untilTheTimeMoves(t testing.TB, dir string) {
	t.Helper()
	modified := func() time.Time {
		writeFile(t, filepath.Join(dir, "clock"), "")
		info, err := os.Lstat(filepath.Join(dir, "clock"))
		require.NoError(t, err)
		return info.ModTime()
	}
	before := modified()
	require.Eventually(t, func() bool { return modified().After(before) }, patience, time.Millisecond)
}

func TestStatStoppedBeforeItsCallbackIsNotCalled(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		log := watchPath(t, l, path)
		log.Stop()
		writeFile(t, path, "x")
		nowait(t, l)

		require.NoError(t, log.Start())
		writeFile(t, path, "xx") // an event is queued
		log.Stop()
		nowait(t, l)

		require.NoError(t, log.Start())
		stop := ev.NewCheck(l, func(*ev.Check) {
			if log.Pending() {
				log.Stop()
			}
		}, ev.Priority(ev.MaxPriority))
		stop.Start()
		writeFile(t, path, "xxx")
		until(t, l, func() bool { return !log.Active() })
		assert.False(t, log.Pending())
		stop.Stop()
		quietly(t, l, log)
	})
}

func TestPreviousIsWhatTheLookBeforeFound(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		log := watchPath(t, l, path)
		l.SetInvoke(func(*ev.Loop) {}) // the loop still looks at the file, callbacks wait
		for n := 1; n <= 3; n++ {
			writeFile(t, path, strings.Repeat("x", n))
			until(t, l, func() bool { return describe(log.Current()) == fmt.Sprintf("%d bytes", n) })
		}
		assert.True(t, log.Pending())
		l.SetInvoke(nil)
		l.Invoke()
		log.sees(t, "2 bytes -> 3 bytes")
		quietly(t, l, log)
	})
}

func TestStatMethodTakesAChangeForKnown(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		log := watchPath(t, l, path)
		writeFile(t, path, "x")
		require.NoError(t, log.Stat.Stat())
		assert.Equal(t, "1 bytes", describe(log.Current()))
		quietly(t, l, log)
		writeFile(t, path, "xx")
		log.sees(t, "1 bytes -> 2 bytes")

		// A change that was found before stays pending, and Previous and Current stay
		// different.
		l.SetInvoke(func(*ev.Loop) {})
		writeFile(t, path, "xxx")
		until(t, l, log.Pending)
		writeFile(t, path, "xxxx")
		require.NoError(t, log.Stat.Stat())
		l.SetInvoke(nil)
		l.Invoke()
		log.sees(t, "3 bytes -> 4 bytes")

		log.Stop()
		require.NoError(t, os.Remove(path))
		assert.ErrorIs(t, log.Stat.Stat(), fs.ErrNotExist, "it works while inactive")
	})
}

func TestStatCallbackThatChangesTheFileCanAvoidBeingCalledForIt(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		calls := 0
		s := ev.NewStat(l, path, 1, func(s *ev.Stat) {
			calls++
			writeFile(t, path, "replaced")
			assert.NoError(t, s.Stat())
		})
		require.NoError(t, s.Start())
		writeFile(t, path, "x")
		until(t, l, func() bool { return calls > 0 })
		quietly(t, l)
		assert.Equal(t, 1, calls)
	})
}

func TestStatThatIsNotKeptDoesNotKeepRunGoing(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		log := watchPath(t, l, path)
		log.Keep(false)
		assert.Equal(t, 1, l.Active())
		assert.Equal(t, 1, l.Stats().Active)
		assert.False(t, l.Alive())
		run(t, l)
		writeFile(t, path, "x")
		keep := ev.NewAsync(l, func(*ev.Async) {})
		keep.Start()
		log.sees(t, "nothing -> 1 bytes")
	})
}

func TestStatOnAClosedLoop(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		before := openDescriptors()
		log, stopped := watchPath(t, l, filepath.Join(dir, "a")), watchPath(t, l, filepath.Join(dir, "b"))
		stopped.Stop()
		writeFile(t, log.Path(), "x")
		require.NoError(t, l.Close())
		assert.LessOrEqual(t, openDescriptors(), before)
		assert.False(t, log.Active())
		assert.ErrorIs(t, log.Start(), ev.ErrClosed)
		assert.ErrorIs(t, stopped.Start(), ev.ErrClosed)
		assert.Empty(t, log.changes)
		log.Stop()
	})
}

func TestDroppedLoopsFreeWhatTheirStatsHold(t *testing.T) {
	dir := t.TempDir()
	for _, backend := range ev.SupportedBackends() {
		t.Run(backend.String(), func(t *testing.T) {
			dropLoops(t, 100, func(l *ev.Loop) {
				for _, path := range []string{dir, filepath.Join(dir, "file")} {
					require.NoError(t, ev.NewStat(l, path, 0, func(*ev.Stat) {}).Start())
				}
				nowait(t, l)
			}, ev.WithBackend(backend))
		})
	}
}

func TestStatCallbackCanBeReplaced(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		log := watchPath(t, l, path)
		called := false
		log.SetCallback(func(*ev.Stat) { called = true })
		writeFile(t, path, "x")
		until(t, l, func() bool { return called })
		assert.Empty(t, log.changes)
	})
}

// In a bubble, a Stat polls by the bubble's clock.
func TestStatPollsEveryInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoop(t, ev.WithBackend(ev.BackendChan))
		path := filepath.Join(t.TempDir(), "file")
		var at []time.Duration
		began := time.Now()
		s := ev.NewStat(l, path, 0, func(s *ev.Stat) { at = append(at, time.Since(began)) })
		require.NoError(t, s.Start())
		looks := 0
		change := ev.NewTimer(l, time.Second, 10*time.Second, func(w *ev.Timer) {
			if looks++; looks == 4 {
				w.Stop()
				s.Stop()
				return
			}
			writeFile(t, path, strings.Repeat("x", looks))
		})
		change.Start()
		require.NoError(t, l.Run(context.Background()))
		const interval = 5007489100 * time.Nanosecond
		assert.Equal(t, []time.Duration{interval, 3 * interval, 5 * interval}, at)
	})
}

// After many quick changes of a tree, all Stats know its final state.
func TestStatIsRightAfterAStorm(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		top := t.TempDir()
		names := []string{"a", "b", "a/a", "a/b", "b/a", "b/b", "a/a/a", "a/b/a", "b/a/b", "a/a/a/a"}
		var logs []*statLog
		follows := make(map[*statLog]bool)
		for _, name := range names {
			for _, follow := range []bool{false, true} {
				log := watchPath(t, l, filepath.Join(top, name), ev.Follow(follow))
				logs, follows[log] = append(logs, log), follow
			}
		}
		stormed := make(chan struct{})
		seed := rand.Uint64()
		go func() {
			defer close(stormed)
			random := rand.New(rand.NewPCG(seed, 0))
			pick := func() string { return filepath.Join(top, names[random.IntN(len(names))]) }
			for i := range 3000 { // most fail, and are meant to
				switch path := pick(); random.IntN(6) {
				case 0:
					_ = os.WriteFile(path, make([]byte, i), 0o600)
				case 1:
					_ = os.Mkdir(path, 0o700)
				case 2:
					_ = os.Rename(path, pick())
				case 3:
					_ = os.RemoveAll(path)
				case 4:
					_ = os.Symlink(filepath.Base(pick()), path)
				case 5:
					_ = os.MkdirAll(path, 0o700)
				}
			}
		}()
		for done := false; !done; {
			select {
			case <-stormed:
				done = true
			default:
				nowait(t, l)
				letHost()
			}
		}
		right := func() bool {
			for _, log := range logs {
				look := os.Lstat
				if follows[log] {
					look = os.Stat
				}
				now, err := look(log.Path())
				if (err == nil) != (log.Current() != nil) {
					return false
				}
				if err == nil && !(os.SameFile(now, log.Current()) && now.Size() == log.Current().Size()) {
					return false
				}
			}
			return true
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for !right() {
			require.NoError(t, l.RunOnce(ctx), "a Stat missed how it ended: seed %d", seed)
		}
		assert.NoError(t, l.Verify())
	})
}
