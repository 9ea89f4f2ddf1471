package evprom

import (
	"path/filepath"
	"time"

	"github.com/goevlib/ev/evmeter"
)

// MaxWatchers is how many watchers of a loop are kept apart, by kind and name;
// what comes after is counted together, as kind and watcher "others". Which ones
// are kept does not change while the loop lives. So name watchers by what they do,
// not by the connection that they do it for.
const MaxWatchers = 100

// watcherName is the same for watchers that are counted together.
type watcherName struct{ kind, watcher string }

var others = watcherName{"others", "others"}

// watcherTotal is what is exported of a watcher.
type watcherTotal struct {
	watcherName
	calls uint64
	took  time.Duration
}

// watchers are those of one loop that are kept apart. One that was counted with
// the others stays there: else their sum would go back.
type watchers map[watcherName]bool

// totals sums up what has one name. Of the new ones, those that took longest come
// first, and are kept.
func (known watchers) totals(sources []evmeter.Source) (all []watcherTotal) {
	at := make(map[watcherName]int)
	for _, s := range sources {
		name := known.name(s)
		i, ok := at[name]
		if !ok {
			i = len(all)
			at[name] = i
			all = append(all, watcherTotal{watcherName: name})
		}
		all[i].calls += s.Calls
		all[i].took += s.Total
	}
	return all
}

func (known watchers) name(s evmeter.Source) watcherName {
	name := watcherName{s.Kind, clean(s.Name)}
	switch {
	case s.Kind == others.kind: // counted together by evmeter already
		return others
	case s.Name == "":
		name.watcher = clean(filepath.Base(s.Position))
	}
	if !known[name] {
		if len(known) >= MaxWatchers {
			return others
		}
		known[name] = true
	}
	return name
}
