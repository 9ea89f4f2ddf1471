package ev_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// parity has each name of docs/parity.md: the table is true if this compiles.
var parity = map[string]any{
	"New": ev.New, "Default": ev.Default, "Version": ev.Version,
	"SupportedBackends": ev.SupportedBackends, "RecommendedBackends": ev.RecommendedBackends,
	"WithBackend": ev.WithBackend, "WithPanicHandler": ev.WithPanicHandler,
	"Priority": ev.Priority, "Data": ev.Data, "Trace": ev.Trace,
	"MinPriority": ev.MinPriority, "MaxPriority": ev.MaxPriority,
	"Loop.Run": (*ev.Loop).Run, "Loop.RunOnce": (*ev.Loop).RunOnce, "Loop.RunNoWait": (*ev.Loop).RunNoWait,
	"Loop.Alive": (*ev.Loop).Alive, "Loop.Stop": (*ev.Loop).Stop, "Loop.StopAll": (*ev.Loop).StopAll,
	"Loop.Close": (*ev.Loop).Close, "Loop.Depth": (*ev.Loop).Depth, "Loop.Ref": (*ev.Loop).Ref,
	"Loop.Unref": (*ev.Loop).Unref, "Loop.Suspend": (*ev.Loop).Suspend, "Loop.Resume": (*ev.Loop).Resume,
	"Loop.Now": (*ev.Loop).Now, "Loop.Update": (*ev.Loop).Update, "Loop.Iteration": (*ev.Loop).Iteration,
	"Loop.Pending": (*ev.Loop).Pending, "Loop.SetInvoke": (*ev.Loop).SetInvoke, "Loop.Invoke": (*ev.Loop).Invoke,
	"Loop.SetRelease": (*ev.Loop).SetRelease, "Loop.SetIOInterval": (*ev.Loop).SetIOInterval,
	"Loop.SetTimeoutInterval": (*ev.Loop).SetTimeoutInterval, "Loop.Backend": (*ev.Loop).Backend,
	"Loop.Verify": (*ev.Loop).Verify, "Loop.SetData": (*ev.Loop).SetData, "Loop.Data": (*ev.Loop).Data,
	"Loop.Watchers": (*ev.Loop).Watchers, "Loop.FeedFD": (*ev.Loop).FeedFD, "Loop.FeedSignal": (*ev.Loop).FeedSignal,
	"Watcher.Keep": ev.Watcher.Keep, "Watcher.SetData": ev.Watcher.SetData, "Watcher.Data": ev.Watcher.Data,
	"Watcher.Active": ev.Watcher.Active, "Watcher.Pending": ev.Watcher.Pending, "Watcher.Stop": ev.Watcher.Stop,
	"Watcher.Feed": ev.Watcher.Feed, "Watcher.Clear": ev.Watcher.Clear, "Watcher.Invoke": ev.Watcher.Invoke,
	"Watcher.Events": ev.Watcher.Events, "Watcher.SetPriority": ev.Watcher.SetPriority, "Watcher.Priority": ev.Watcher.Priority,
	"NewAsync": ev.NewAsync, "Async.Start": (*ev.Async).Start, "Async.Send": (*ev.Async).Send, "Async.Sent": (*ev.Async).Sent,
	"NewIO": ev.NewIO, "NewConnIO": ev.NewConnIO, "IO.Start": (*ev.IO).Start, "IO.Set": (*ev.IO).Set, "IO.Interest": (*ev.IO).Interest,
	"NewTimer": ev.NewTimer, "Timer.Set": (*ev.Timer).Set, "Timer.Reset": (*ev.Timer).Reset,
	"Timer.Remaining": (*ev.Timer).Remaining, "Timer.SetRepeat": (*ev.Timer).SetRepeat,
	"NewPeriodic": ev.NewPeriodic, "Periodic.Set": (*ev.Periodic).Set, "Periodic.At": (*ev.Periodic).At,
	"Periodic.Reset": (*ev.Periodic).Reset, "Periodic.SetInterval": (*ev.Periodic).SetInterval,
	"Periodic.SetOffset": (*ev.Periodic).SetOffset, "NewScheduler": ev.NewScheduler,
	"Scheduler.SetNext": (*ev.Scheduler).SetNext, "Scheduler.At": (*ev.Scheduler).At, "CatchUp": ev.CatchUp,
	"NewSignal": ev.NewSignal, "Signal.Start": (*ev.Signal).Start, "FeedSignal": ev.FeedSignal,
	"NewChild": ev.NewChild, "Child.Pid": (*ev.Child).Pid, "Child.RPid": (*ev.Child).RPid, "Child.Status": (*ev.Child).Status,
	"NewStat": ev.NewStat, "Stat.Current": (*ev.Stat).Current, "Stat.Previous": (*ev.Stat).Previous, "Stat.Stat": (*ev.Stat).Stat,
	"NewIdle": ev.NewIdle, "NewPrepare": ev.NewPrepare, "NewCheck": ev.NewCheck, "NewCleanup": ev.NewCleanup,
	"NewEmbed": ev.NewEmbed, "Embed.Sweep": (*ev.Embed).Sweep,
	"Read": ev.Read, "Write": ev.Write, "TimerEvent": ev.TimerEvent, "PeriodicEvent": ev.PeriodicEvent,
	"SignalEvent": ev.SignalEvent, "ChildEvent": ev.ChildEvent, "StatEvent": ev.StatEvent, "IdleEvent": ev.IdleEvent,
	"PrepareEvent": ev.PrepareEvent, "CheckEvent": ev.CheckEvent, "EmbedEvent": ev.EmbedEvent,
	"CleanupEvent": ev.CleanupEvent, "AsyncEvent": ev.AsyncEvent, "Custom": ev.Custom, "Error": ev.Error,
}

func TestTheParityTableNamesWhatExists(t *testing.T) {
	table, err := os.ReadFile("docs/parity.md")
	require.NoError(t, err)
	named := map[string]bool{}
	rows := 0
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !regexp.MustCompile(`^ \d+ $`).MatchString(cells[1]) {
			continue
		}
		rows++
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[3], -1) {
			named[name[1]] = true
			assert.Contains(t, parity, name[1], "row %s", cells[1])
		}
		if strings.TrimSpace(cells[3]) == "" {
			assert.Contains(t, cells[4], "left out", "row %s", cells[1])
		}
	}
	assert.Equal(t, 61, rows)
	for name := range parity {
		assert.True(t, named[name], "%s is in no row", name)
	}
}

func TestConstantsHaveLibevsNumbers(t *testing.T) { // spec 127
	for events, number := range map[ev.Events]uint32{
		ev.None: 0, ev.Read: 1, ev.Write: 2, ev.TimerEvent: 0x100, ev.PeriodicEvent: 0x200,
		ev.SignalEvent: 0x400, ev.ChildEvent: 0x800, ev.StatEvent: 0x1000, ev.IdleEvent: 0x2000,
		ev.PrepareEvent: 0x4000, ev.CheckEvent: 0x8000, ev.EmbedEvent: 0x10000, ev.CleanupEvent: 0x40000,
		ev.AsyncEvent: 0x80000, ev.Custom: 0x1000000, ev.Error: 0x80000000,
	} {
		assert.Equal(t, number, uint32(events), events.String())
	}
	assert.Equal(t, [2]int{-2, 2}, [2]int{ev.MinPriority, ev.MaxPriority})
	assert.EqualValues(t, 4, ev.BackendEpoll)
	assert.EqualValues(t, 8, ev.BackendKqueue)
	assert.Equal(t, "Read|Write|0x4", (ev.Read | ev.Write | 4).String())
	assert.Equal(t, "None", ev.None.String())
}
