package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/goevlib/ev"
)

// newJob makes a Scheduler that follows a cron schedule. It waits for the time
// that Next returns. The zero time means "never again" to both.
func newJob(loop *ev.Loop, schedule cron.Schedule, zone *time.Location, fn func(*ev.Scheduler)) *ev.Scheduler {
	return ev.NewScheduler(loop, func(_ *ev.Scheduler, now time.Time) time.Time { return schedule.Next(now.In(zone)) }, fn)
}

// line is one argument.
type line struct {
	expression string
	schedule   cron.Schedule
	message    string
}

var (
	standard    = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	withSeconds = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
)

func parseLine(text string, seconds bool) (line, error) {
	parser, fields := standard, 5
	if seconds {
		parser, fields = withSeconds, 6
	}
	words := strings.Fields(text)
	if len(words) > 0 && strings.HasPrefix(words[0], "@") {
		fields = 1
		if words[0] == "@every" {
			fields = 2
		}
	}
	if len(words) <= fields {
		return line{}, fmt.Errorf("%q: want an expression of %d words, then a message", text, fields)
	}
	l := line{expression: strings.Join(words[:fields], " "), message: strings.Join(words[fields:], " ")}
	var err error
	if l.schedule, err = parser.Parse(l.expression); err != nil {
		return line{}, fmt.Errorf("%q: %w", l.expression, err)
	}
	return l, nil
}

// list prints the next times after now.
func (l line) list(out io.Writer, now time.Time, count int) error {
	for range count {
		if now = l.schedule.Next(now); now.IsZero() {
			return fmt.Errorf("%q: there is no such moment", l.expression)
		}
		if _, err := fmt.Fprintf(out, "%s %s\n", now.Format("2006-01-02 15:04:05 MST"), l.message); err != nil {
			return err
		}
	}
	return nil
}
