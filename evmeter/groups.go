package evmeter

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/goevlib/ev"
)

// Active is a group of active watchers with the same kind, name, priority and function.
type Active struct {
	Kind     string `json:"kind"`
	Name     string `json:"name"`
	Position string `json:"position"`
	Priority int    `json:"priority"`
	Count    int    `json:"count"`
	Keeping  int    `json:"keeping"` // how many of them keep Run going
}

// MaxGroups is the number of groups that an Inspection keeps apart: a program may give each
// of its connections a name of its own. The others are counted in one group of Kind "others".
const MaxGroups = 1000

// groups has all groups of a loop. There may be as many groups as watchers, so a group is
// small. The texts that name a function are long and cost most of a microsecond; there are
// few functions, and each has its texts once.
type groups map[origin]*function

// origin is equal for watchers of the same kind with the same function.
type origin struct {
	kind reflect.Type
	pc   uintptr
}

type function struct {
	kind, position string
	groups         map[nameAndPriority]tally
}

type nameAndPriority struct {
	name     string
	priority int
}

type tally struct{ count, keeping int32 }

func (g groups) add(found []found) {
	for _, w := range found {
		f := g.of(w.callback)
		k := nameAndPriority{w.callback.Name(), w.priority}
		t := f.groups[k]
		t.count++
		if w.keeps {
			t.keeping++
		}
		f.groups[k] = t
	}
}

func (g groups) of(c ev.Callback) *function {
	o := origin{reflect.TypeOf(c.Watcher), c.PC()}
	f := g[o]
	if f == nil {
		f = &function{kind: c.Kind(), position: c.Position(), groups: make(map[nameAndPriority]tally)}
		g[o] = f
	}
	return f
}

// fill puts the first MaxGroups groups into the Inspection, and the sums of the others. It
// never holds more than twice as many: sorting a million groups would take seconds.
func (g groups) fill(in *Inspection) {
	in.Active = []Active{} // not null in JSON
	others := Active{Kind: "others"}
	cut := func() {
		slices.SortFunc(in.Active, order)
		for _, a := range in.Active[min(MaxGroups, len(in.Active)):] {
			in.More++
			others.Count += a.Count
			others.Keeping += a.Keeping
		}
		in.Active = in.Active[:min(MaxGroups, len(in.Active))]
	}
	for _, f := range g {
		for k, t := range f.groups {
			in.Active = append(in.Active, Active{f.kind, k.name, f.position, k.priority, int(t.count), int(t.keeping)})
			if len(in.Active) == 2*MaxGroups {
				cut()
			}
		}
	}
	if cut(); in.More > 0 {
		in.Active = append(in.Active, others)
	}
}

// order is by count. Among groups of the same size, the watchers that keep Run going come
// first: a reader of a long list looks for those.
func order(a, b Active) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.Keeping, a.Keeping), cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Name, b.Name), cmp.Compare(a.Position, b.Position), cmp.Compare(b.Priority, a.Priority))
}
