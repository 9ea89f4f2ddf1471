package ev_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// The recipe for calendar rules, daily, is tested over whole years.

// calendars are places whose clocks change in unusual ways in these years.
var calendars = map[string][]int{
	"America/New_York":    {2026},
	"America/Santiago":    {2026},       // forward at midnight
	"Australia/Lord_Howe": {2026},       // by half an hour
	"Pacific/Apia":        {2011, 2012}, // no 30 December 2011
	"America/Sao_Paulo":   {2018},
	"Antarctica/Troll":    {2025}, // by two hours
	"Africa/Casablanca":   {2025}, // back for a month, then forward
	"Europe/Berlin":       {2026},
}

// change is a moment at which the clocks of a place are set.
type change struct {
	at            time.Time
	before, after time.Duration // east of Greenwich
}

func offset(at time.Time, place *time.Location) time.Duration {
	_, seconds := at.In(place).Zone()
	return time.Duration(seconds) * time.Second
}

// changes checks each quarter of an hour, from days before the year to days after it.
func changes(place *time.Location, year int) (found []change) {
	from := time.Date(year-1, 12, 29, 0, 0, 0, 0, time.UTC)
	for at := from; at.Year() <= year || at.YearDay() < 3; at = at.Add(15 * time.Minute) {
		before, after := offset(at.Add(-15*time.Minute), place), offset(at, place)
		if before != after {
			found = append(found, change{at, before, after})
		}
	}
	return found
}

// showing returns the moments at which the clocks show a time, at most two. If they
// skip it, it returns one moment, later by the time that they skip. wanted is the time
// as if it were in UTC.
func showing(wanted time.Time, place *time.Location, changes []change) (all []time.Time, skipped bool) {
	offsets := map[time.Duration]bool{offset(wanted.Add(-48*time.Hour), place): true}
	for _, c := range changes {
		offsets[c.before], offsets[c.after] = true, true
	}
	for o := range offsets {
		if at := wanted.Add(-o); offset(at, place) == o {
			all = append(all, at)
		}
	}
	if len(all) > 0 {
		return all, false
	}
	for _, c := range changes {
		if at := wanted.Add(-c.before); !at.Before(c.at) && wanted.Add(-c.after).Before(c.at) {
			return []time.Time{at}, true
		}
	}
	panic("never shown, and no change")
}

func TestTheDailyRecipeIsRightOverWholeYears(t *testing.T) {
	for name, years := range calendars {
		place, err := time.LoadLocation(name)
		require.NoError(t, err)
		for _, year := range years {
			found := changes(place, year)
			skips := 0
			for minute := 0; minute < 24*60; minute += 45 { // one in every gap
				skips += checkDaily(t, place, year, minute, found)
			}
			t.Log(name, year, len(found), "changes,", skips, "times skipped")
		}
	}
}

// checkDaily calls daily for a year, from one moment to the next and from moments in
// between.
func checkDaily(t *testing.T, place *time.Location, year, minute int, found []change) (skips int) {
	next := daily(place, minute/60, minute%60)
	last := time.Time{}
	now := time.Date(year, 1, 1, 0, 0, 0, 0, place).Add(-time.Nanosecond)
	for day := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() == year; day = day.AddDate(0, 0, 1) {
		want, skipped := showing(day.Add(time.Duration(minute)*time.Minute), place, found)
		if skipped {
			skips++
		}
		if skipped && want[0].Equal(last) { // the whole day was skipped, and the next day's moment has been
			continue
		}
		at := next(nil, now)
		if following, gone := showing(day.Add(time.Duration(minute)*time.Minute+24*time.Hour), place, found); skipped && !gone && following[0].Equal(want[0]) {
			day = day.AddDate(0, 0, 1) // one callback for the day that is skipped and the next
		}
		require.True(t, at.After(now))
		require.True(t, at.Equal(want[0]) || at.Equal(want[len(want)-1]), "%v %v %d: after %v want %v, got %v", place, day, minute, now, want, at)
		between := now.Add(rand.N(at.Sub(now)))
		require.True(t, next(nil, between).Equal(at), "from %v on", between)
		last, now = at, at
	}
	return skips
}

func TestABareTimeDateIsNotRightOverWholeYears(t *testing.T) {
	for name, wrong := range map[string]bool{"America/Santiago": true, "America/Sao_Paulo": true, "Europe/Berlin": false} {
		place, err := time.LoadLocation(name)
		require.NoError(t, err)
		past := 0
		for minute := 0; minute < 24*60; minute += 15 {
			next := naive(place, minute/60, minute%60)
			now := time.Date(calendars[name][0], 1, 1, 0, 0, 0, 0, place)
			for range 366 {
				at := next(nil, now)
				if at.Before(now.Add(time.Nanosecond)) {
					past++
					at = now.Add(2 * time.Hour)
				}
				now = at
			}
		}
		assert.Equal(t, wrong, past > 0, "%s: %d", name, past)
	}
}

func TestASchedulerWithTheDailyRecipeFiresThroughTheNightsOfChange(t *testing.T) {
	for _, tc := range []struct {
		place        string
		from         time.Time
		hour, minute int
		want         string
	}{
		{"America/New_York", time.Date(2026, 3, 6, 12, 0, 0, 0, time.UTC), 2, 30, "07 02:30, 08 03:30, 09 02:30, 10 02:30"},
		{"America/New_York", time.Date(2026, 10, 30, 12, 0, 0, 0, time.UTC), 1, 30, "31 01:30, 01 01:30, 02 01:30, 03 01:30"},
		{"America/Santiago", time.Date(2026, 9, 4, 12, 0, 0, 0, time.UTC), 0, 0, "05 00:00, 06 01:00, 07 00:00, 08 00:00"},
		{"Australia/Lord_Howe", time.Date(2026, 10, 2, 12, 0, 0, 0, time.UTC), 2, 15, "03 02:15, 04 02:45, 05 02:15, 06 02:15"},
		{"Pacific/Apia", time.Date(2011, 12, 28, 12, 0, 0, 0, time.UTC), 9, 0, "28 09:00, 29 09:00, 31 09:00, 01 09:00"},
	} {
		t.Run(fmt.Sprint(tc.place, tc.hour), func(t *testing.T) {
			place, err := time.LoadLocation(tc.place)
			require.NoError(t, err)
			inBubble(t, func(t *testing.T, _ *ev.Loop) {
				time.Sleep(time.Until(tc.from))
				handler, reports := reported()
				l := newLoop(t, ev.WithBackend(ev.BackendChan), handler)
				var fired []string
				ev.NewScheduler(l, daily(place, tc.hour, tc.minute), func(s *ev.Scheduler) {
					if fired = append(fired, time.Now().In(place).Format("02 15:04")); len(fired) == 4 {
						s.Stop()
					}
				}).Start()
				toTheEnd(t, l)
				assert.Equal(t, tc.want, strings.Join(fired, ", "))
				assert.Empty(t, *reports)
			})
		})
	}
}

func TestTheDocumentationHasTheRecipeThatWasProved(t *testing.T) {
	source, err := os.ReadFile("example_periodic_test.go")
	require.NoError(t, err)
	_, recipe, _ := strings.Cut(string(source), "// daily is a next function")
	recipe, _, found := strings.Cut(recipe, "\n}\n")
	require.True(t, found)
	page, err := os.ReadFile("docs/patterns.md")
	require.NoError(t, err)
	assert.Contains(t, string(page), "// daily is a next function"+recipe+"\n}\n")
}
