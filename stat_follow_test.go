package ev_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// relink makes a link lead elsewhere, in one step.
func relink(t testing.TB, to, path string) {
	t.Helper()
	symlink(t, to, path+".tmp")
	rename(t, path+".tmp", path)
}

// configMap is the directory in which Kubernetes shows a ConfigMap:
//
//	..2026_1/app.conf
//	..data -> ..2026_1
//	app.conf -> ..data/app.conf
//
// An update makes ..2026_2, swaps ..data, and removes ..2026_1.
type configMap struct {
	dir     string
	version int
}

func newConfigMap(t testing.TB) *configMap {
	m := &configMap{dir: t.TempDir()}
	m.update(t)
	symlink(t, filepath.Join("..data", "app.conf"), m.path())
	return m
}

func (m *configMap) path() string { return filepath.Join(m.dir, "app.conf") }

// update gives app.conf as many bytes as there were versions.
func (m *configMap) update(t testing.TB) {
	t.Helper()
	version := func() string { return fmt.Sprintf("..2026_%d", m.version) }
	old := filepath.Join(m.dir, version())
	m.version++
	require.NoError(t, os.Mkdir(filepath.Join(m.dir, version()), 0o700))
	writeFile(t, filepath.Join(m.dir, version(), "app.conf"), strings.Repeat("x", m.version))
	relink(t, version(), filepath.Join(m.dir, "..data"))
	require.NoError(t, os.RemoveAll(old))
}

func TestAFollowingStatCallsBackOnceForEachUpdateOfAConfigMap(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		m := newConfigMap(t)
		link := watchPath(t, l, m.path())
		log := watchPath(t, l, m.path(), ev.Follow(true))
		assert.Equal(t, "1 bytes", describe(log.Current()))
		for v := 2; v <= 4; v++ {
			m.update(t)
			log.sees(t, fmt.Sprintf("%d bytes -> %d bytes", v-1, v))
			content, err := os.ReadFile(m.path()) // as the callback would
			require.NoError(t, err)
			assert.Len(t, content, v)
			quietly(t, l, log)
		}
		assert.Equal(t, "link of 15", describe(link.Current()), "without Follow, the link itself is watched")
	})
}

func TestAFollowingStatKnowsTheLastOfABurstOfUpdates(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		m := newConfigMap(t)
		log := watchPath(t, l, m.path(), ev.Follow(true))
		for _, size := range []int{2, 50} {
			updated := make(chan struct{})
			go func() {
				defer close(updated)
				for range size {
					m.update(t)
				}
			}()
			for done := false; !done; { // the loop looks all the time
				nowait(t, l)
				letHost()
				select {
				case <-updated:
					done = true
				default:
				}
			}
			want := fmt.Sprintf("%d bytes", m.version)
			until(t, l, func() bool { return describe(log.Current()) == want })
			nowait(t, l)
			assert.LessOrEqual(t, len(log.changes), 2*size, "one for each, and one if the path was missing between")
			log.changes = nil
			quietly(t, l, log)
		}
	})
}

// The path is dir/way/link. All of them are links, in a chain.
func TestAFollowingStatSeesEveryLinkOnTheWayChange(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		at := func(names ...string) string { return filepath.Join(append([]string{dir}, names...)...) }
		for i, name := range []string{"a", "b"} {
			require.NoError(t, os.Mkdir(at(name), 0o700))
			writeFile(t, at(name, "file"), strings.Repeat("x", 1+i))
			symlink(t, "second", at(name, "link"))
			symlink(t, filepath.Join(dir, name, "file"), at(name, "second")) // absolute
		}
		symlink(t, "a", at("way"))
		log := watchPath(t, l, at("way", "link"), ev.Follow(true))
		assert.Equal(t, "1 bytes", describe(log.Current()))

		relink(t, "b", at("way"))
		log.sees(t, "1 bytes -> 2 bytes")
		relink(t, at("a", "file"), at("b", "second"))
		log.sees(t, "2 bytes -> 1 bytes")
		relink(t, "file", at("b", "link"))
		log.sees(t, "1 bytes -> 2 bytes")
		relink(t, "../b/file", at("b", "link")) // to the same file, by another name
		quietly(t, l, log)
		writeFile(t, at("b", "file"), "the target")
		log.sees(t, "2 bytes -> 10 bytes")
		writeFile(t, at("b", "new"), "an editor")
		rename(t, at("b", "new"), at("b", "file"))
		log.sees(t, "10 bytes -> 9 bytes")
		writeFile(t, at("b", "file"), "and it is watched")
		log.sees(t, "9 bytes -> 17 bytes")

		require.NoError(t, os.Remove(at("b", "link")))
		log.sees(t, "17 bytes -> nothing")
		writeFile(t, at("b", "link"), "no link any more")
		log.sees(t, "nothing -> 16 bytes")
		rename(t, at("b"), at("c"))
		log.sees(t, "16 bytes -> nothing")
		rename(t, at("c"), at("b"))
		log.sees(t, "nothing -> 16 bytes")
	})
}

func TestAFollowingStatTakesALinkToNothingForAMissingFile(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		dir := t.TempDir()
		link, sub := filepath.Join(dir, "link"), filepath.Join(dir, "sub")
		symlink(t, filepath.Join("sub", "file"), link)
		log := watchPath(t, l, link, ev.Follow(true))
		assert.Nil(t, log.Current())
		assert.Error(t, log.Stat.Stat())
		require.NoError(t, os.Mkdir(sub, 0o700))
		quietly(t, l, log)
		writeFile(t, filepath.Join(sub, "file"), "x")
		log.sees(t, "nothing -> 1 bytes")
		require.NoError(t, os.RemoveAll(sub))
		log.sees(t, "1 bytes -> nothing")

		relink(t, "link", link) // a circle
		quietly(t, l, log)
		relink(t, "sub", link)
		quietly(t, l, log)
		require.NoError(t, os.Mkdir(sub, 0o700))
		log.sees(t, "nothing -> dir")
	})
}

func TestFollowMakesNoDifferenceForAPathWithoutLinks(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		path := filepath.Join(t.TempDir(), "file")
		log := watchPath(t, l, path, ev.Follow(true))
		writeFile(t, path, "x")
		log.sees(t, "nothing -> 1 bytes")
		writeFile(t, path+".tmp", "xy")
		rename(t, path+".tmp", path)
		log.sees(t, "1 bytes -> 2 bytes")
		require.NoError(t, os.Remove(path))
		log.sees(t, "2 bytes -> nothing")
	})
}

func TestAFollowingStatStartedAgainStillFollows(t *testing.T) {
	onEveryLoop(t, func(t *testing.T, l *ev.Loop) {
		m := newConfigMap(t)
		log := watchPath(t, l, m.path(), ev.Follow(true))
		log.Stop()
		m.update(t)
		require.NoError(t, log.Stat.Stat())
		assert.Equal(t, "2 bytes", describe(log.Current()), "inactive, too")
		require.NoError(t, log.Start())
		m.update(t)
		log.sees(t, "2 bytes -> 3 bytes")
	})
}

func TestFollowIsAnOptionOfNewStatOnly(t *testing.T) {
	l := newLoop(t)
	assert.PanicsWithValue(t, "ev: NewIdle: Follow is an option of NewStat", func() {
		ev.NewIdle(l, func(*ev.Idle) {}, ev.Follow(true))
	})
}
