package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // for Berlin, on any machine

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// output runs the program in a bubble. Its clock begins at 2000-01-01 00:00
// UTC, a Saturday, and jumps from one timer to the next.
func output(t *testing.T, after time.Duration, args ...string) (lines []string) {
	o, err := parse(args, io.Discard)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(after)
		var out strings.Builder
		require.NoError(t, run(context.Background(), o, &out, ev.WithBackend(ev.BackendChan)))
		lines = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	})
	return lines
}

func TestJobsRunAtTheirMomentsInOrder(t *testing.T) {
	assert.Equal(t, []string{
		"2000-01-01 06:00:00 six",
		"2000-01-01 08:30:00 half past eight",
		"2000-01-01 12:00:00 six",
		"2000-01-01 18:00:00 six",
		"2000-01-02 00:00:00 midnight, by name", // planned first
		"2000-01-02 00:00:00 six",
		"2000-01-02 06:00:00 six",
	}, output(t, time.Second, "-tz", "UTC", "-n", "7",
		"30 8 * * SAT half past eight", "0 */6 * * *  six", "@daily midnight,  by name"))
}

func TestExpressionsMayHaveSeconds(t *testing.T) {
	assert.Equal(t, []string{
		"2000-01-01 00:00:20 s", "2000-01-01 00:00:30 every", "2000-01-01 00:00:40 s",
	}, output(t, 0, "-tz", "UTC", "-seconds", "-n", "3", "*/20 * * * * * s", "@every 30s every"))
}

func TestAJobFollowsTheZoneThroughItsChangeOfTime(t *testing.T) { // no 2:30 on 26 March 2000: cron skips it
	marchDay := time.Date(2000, 3, 24, 12, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	args := []string{"-tz", "Europe/Berlin", "30 2 * * * backup"}
	assert.Equal(t, []string{"2000-03-25 02:30:00 backup", "2000-03-27 02:30:00 backup"},
		output(t, marchDay, append([]string{"-n", "2"}, args...)...))
	assert.Equal(t, []string{"2000-03-25 02:30:00 CET backup", "2000-03-27 02:30:00 CEST backup"},
		output(t, marchDay, append([]string{"-list", "2"}, args...)...))
}

func TestACancelledContextEndsTheProgramInPeace(t *testing.T) {
	o, err := parse([]string{"@hourly tick"}, io.Discard)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	assert.ErrorIs(t, run(ctx, o, io.Discard), context.DeadlineExceeded, "a deadline is somebody else's idea")
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	assert.NoError(t, run(ctx, o, io.Discard))
}

func TestMistakesAreNamed(t *testing.T) {
	for want, args := range map[string][]string{
		"nothing to do":                                              nil,
		"flag provided but not defined: -x":                          {"-x"},
		"-n must not be negative: -1":                                {"-n", "-1", "@hourly x"},
		"-list must not be negative: -2":                             {"-list", "-2", "@hourly x"},
		"-tz: unknown time zone Mars/Utopia":                         {"-tz", "Mars/Utopia", "@hourly x"},
		`"": want an expression of 5 words, then a message`:          {""},
		`"* * * * *": want an expression of 5 words, then a message`: {"* * * * *"},
		`"* * * * * x": want an expression of 6 words`:               {"-seconds", "* * * * * x"},
		`"@hourly": want an expression of 1 words`:                   {"@hourly"},
		`"@every 5s": want an expression of 2 words`:                 {"@every 5s"},
		`"61 * * * *": end of range (61) above maximum (59): 61`:     {"61 * * * * x"},
		`"@never": unrecognized descriptor: @never`:                  {"@never x"},
		`"0 0 30 2 * x": there is no such moment`:                    {"0 0 30 2 * x"},
		`"0 0 30 2 *": there is no such moment`:                      {"-list", "1", "0 0 30 2 * x"},
	} {
		o, err := parse(args, io.Discard)
		if err == nil {
			err = run(context.Background(), o, io.Discard)
		}
		assert.ErrorContains(t, err, want)
	}
}
