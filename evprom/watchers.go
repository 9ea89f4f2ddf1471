package evprom

import (
	"path/filepath"
	"time"

	"github.com/goevlib/ev/evmeter"
)

// MaxWatchers is the number of watchers of a loop that are kept apart, by kind and name. Later
// watchers are counted together, with kind and watcher "others". The choice does not change while
// the loop lives. Name watchers by their task, not by the connection that they serve.
const MaxWatchers = 100

// watcherName is equal for watchers that are counted together.
type watcherName struct{ kind, watcher string }

var others = watcherName{"others", "others"}

// watcherTotal has the exported figures of the watchers with one name.
type watcherTotal struct {
	watcherName
	calls uint64
	took  time.Duration
}

// watchers has the watchers of one loop that are kept apart. A watcher that was once counted with
// the others stays with them: otherwise their sum would decrease.
type watchers map[watcherName]bool

// totals adds up the sources with the same name. Sources are sorted by total time, so the new
// watchers that took longest are kept apart.
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
	case s.Kind == others.kind: // evmeter has counted them together already
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
