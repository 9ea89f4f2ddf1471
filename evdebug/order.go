package evdebug

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/goevlib/ev/evmeter"
)

// sorting is how a reader wants the tables sorted: the query has a parameter for each table, such
// as "spent=-calls". A minus is the highest first.
type sorting url.Values

// head is the heading of a column.
type head struct {
	Title, Class string
	Href, Aria   string // Href sorts by the column; Aria is the value of aria-sort
}

// Head returns the heading of a column, whose link sorts by the column or, if it is sorted by that
// already, turns the order round. The first click on a column of numbers puts the highest first.
func (s sorting) Head(table, key, title, class string) head {
	h, next := head{Title: title, Class: class}, key
	if strings.HasPrefix(class, "n ") || class == "n" {
		next = "-" + key
	}
	switch url.Values(s).Get(table) {
	case key:
		h.Aria, next = "ascending", "-"+key
	case "-" + key:
		h.Aria, next = "descending", key
	}
	query := make(url.Values)
	for name, all := range s {
		if slices.Contains([]string{"loops", "slowest", "spent", "active", "tasks", "task", "watcher"}, name) {
			query[name] = all
		}
	}
	query.Set(table, next)
	h.Href = "?" + query.Encode()
	return h
}

// sorted returns a sorted copy if the reader has asked for an order that the table has.
func sorted[T any](s sorting, table string, rows []T, by map[string]func(a, b T) int) []T {
	key, descending := strings.CutPrefix(url.Values(s).Get(table), "-")
	order := by[key]
	if order == nil {
		return rows
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b T) int {
		if descending {
			a, b = b, a
		}
		return order(a, b)
	})
	return rows
}

func byValue[T any, V cmp.Ordered](of func(T) V) func(a, b T) int {
	return func(a, b T) int { return cmp.Compare(of(a), of(b)) }
}

var orderOfLoops = map[string]func(a, b summary) int{
	"loop":       byValue(func(s summary) string { return strings.ToLower(s.Title) }),
	"state":      byValue(func(s summary) string { return string(s.State) }),
	"busy":       byValue(func(s summary) float64 { return s.Recent.Busy }),
	"iterations": byValue(func(s summary) float64 { return s.Recent.Iterations }),
	"callbacks":  byValue(func(s summary) float64 { return s.Recent.Callbacks }),
	"parks":      byValue(func(s summary) float64 { return s.Recent.Parks }),
	"timer":      byValue(func(s summary) int64 { return int64(s.Recent.Lag) }),
	"active":     byValue(func(s summary) int { return s.Stats.Active }),
	"slowest": byValue(func(s summary) int64 {
		c := s.Current()
		if c == nil && len(s.Slowest) > 0 {
			c = &s.Slowest[0]
		}
		if c == nil {
			return 0
		}
		return int64(c.Took)
	}),
}

// stuckFirst is the order without a choice: by need, then by age.
func stuckFirst(a, b summary) int {
	rank := func(s summary) int {
		if s.State == stuck {
			return 0
		}
		return 1
	}
	return cmp.Or(rank(a)-rank(b), cmp.Compare(a.ID, b.ID))
}

var orderOfCalls = map[string]func(a, b call) int{
	"took":     byValue(func(c call) int64 { return int64(c.Took) }),
	"watcher":  byValue(func(c call) string { return c.Source.Kind + " " + whoOf(c.Source) }),
	"priority": byValue(func(c call) int { return c.Source.Priority }),
	"began":    func(a, b call) int { return a.Began.Compare(b.Began) },
	"function": byValue(func(c call) string { return c.Source.Function }),
}

var orderOfSources = map[string]func(a, b evmeter.Source) int{
	"watcher":  byValue(func(s evmeter.Source) string { return s.Kind + " " + whoOf(s) }),
	"priority": byValue(func(s evmeter.Source) int { return s.Priority }),
	"calls":    byValue(func(s evmeter.Source) uint64 { return s.Calls }),
	"total":    byValue(func(s evmeter.Source) int64 { return int64(s.Total) }),
	"recent":   byValue(func(s evmeter.Source) int64 { return int64(s.Recent) }),
	"mean":     byValue(func(s evmeter.Source) int64 { return int64(mean(s)) }),
	"longest":  byValue(func(s evmeter.Source) int64 { return int64(s.Max) }),
	"function": byValue(func(s evmeter.Source) string { return s.Function }),
}

var orderOfActive = map[string]func(a, b evmeter.Active) int{
	"count":    byValue(func(a evmeter.Active) int { return a.Count }),
	"keeping":  byValue(func(a evmeter.Active) int { return a.Keeping }),
	"watcher":  byValue(func(a evmeter.Active) string { return a.Kind + " " + a.Name }),
	"priority": byValue(func(a evmeter.Active) int { return a.Priority }),
	"function": byValue(func(a evmeter.Active) string { return a.Position }),
}

var orderOfTasks = map[string]func(a, b evmeter.Task) int{
	"waited":   func(a, b evmeter.Task) int { return b.Since.Compare(a.Since) }, // the least first
	"task":     byValue(func(t evmeter.Task) string { return t.Name }),
	"priority": byValue(func(t evmeter.Task) int { return t.Priority }),
	"state":    byValue(func(t evmeter.Task) string { return t.State }),
	"in":       byValue(func(t evmeter.Task) string { return t.Wait }),
	"ends":     func(a, b evmeter.Task) int { return a.Until.Compare(b.Until) },
	"at":       byValue(func(t evmeter.Task) string { return t.At }),
}
