package ev

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fullLoop makes a loop with three timers, an Async and one of each hook active. A
// high, a low and a cleared watcher and a posted function are pending.
func fullLoop(t *testing.T) *Loop {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	for i := range 3 {
		NewTimer(l, time.Duration(i)*time.Hour, 0, func(*Timer) {}).Start()
	}
	NewAsync(l, func(*Async) {}).Start()
	NewPeriodic(l, 0, time.Hour, func(*Periodic) {}).Start()
	NewIdle(l, func(*Idle) {}).Start()
	NewPrepare(l, func(*Prepare) {}).Start()
	NewCheck(l, func(*Check) {}).Start()
	NewCleanup(l, func(*Cleanup) {}).Start()
	for _, priority := range []int{1, -1, 0} {
		NewAsync(l, func(*Async) {}, Priority(priority)).Feed(Custom)
	}
	cleared := NewAsync(l, func(*Async) {}, Priority(1))
	cleared.Feed(Custom)
	cleared.Clear()
	l.pending.post(posted(func() {}))
	require.NoError(t, l.Verify())
	return l
}

// embedOf makes the Embed by which a host knows its embedded loop.
func embedOf(host *Loop, index int32) *Embed {
	return &Embed{watcher: watcher{index: index}, other: &Loop{hosted: hosted{host: host}}}
}

// firstAt returns the first watcher in the queue of a priority.
func firstAt(l *Loop, priority int) *watcher {
	q := &l.pending.queues[priority-MinPriority]
	return q.ring[q.head&q.mask()].w
}

func TestVerifyNamesTheInvariantThatIsBroken(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(l *Loop)
		want  string
	}{
		"an index": {func(l *Loop) { l.active[1].index = 7 },
			"ev: active watcher 1 has index 7, want 2"},
		"an inactive watcher among the active": {func(l *Loop) { l.active[3].index = 0 },
			"ev: active watcher 3 has index 0, want 4"},
		"a loop": {func(l *Loop) { l.active[3].loop = new(Loop) },
			"ev: active watcher 3 belongs to another loop"},
		"a periodic without a place in the heap": {func(l *Loop) { l.active[1].self.(*Periodic).order = 0 },
			"ev: active periodic 1 is not in the heap"},
		"the loop of a timer": {func(l *Loop) { l.timers.heap[1].a.loop = new(Loop) },
			"ev: timer 1 belongs to another loop"},
		"the count of timers": {func(l *Loop) { l.inHeap++ },
			"ev: 4 active timers; counted 3"},

		"the count of references": {func(l *Loop) { l.refs++ },
			"ev: 9 references and 0 hidden watchers; counted 8 and 0"},
		"the count of hidden watchers": {func(l *Loop) { l.hidden++ },
			"ev: 8 references and 1 hidden watchers; counted 8 and 0"},

		"an Idle in the list of another priority": {func(l *Loop) { l.idle[0], l.idle[2] = l.idle[2], nil },
			"ev: an Idle of priority 0 is in the list of -2"},
		"an inactive hook": {func(l *Loop) { l.prepares[0].index = 0 },
			"ev: prepare: inactive, or listed twice"},
		"a hook listed twice": {func(l *Loop) { l.checks = append(l.checks, l.checks[0]) },
			"ev: check: inactive, or listed twice"},

		"the number of a request": {func(l *Loop) { l.active[0].self.(*Async).label = 2 * 9 },
			"has number 9, want "},
		"a label that the loop would not find": {func(l *Loop) { l.requests.taken = l.active[0].self.(*Async).label },
			"has the label of the last that was taken"},
		"a request that is neither active nor linked": {func(l *Loop) { l.active[0].self.(*Async).w = new(watcher) },
			"is neither active nor linked"},
		"a number that is lost": {func(l *Loop) { l.requests.all = append(l.requests.all, nil) },
			"ev: of 3 requests 2 are in use and 0 free"},

		"an IO under another descriptor": {func(l *Loop) {
			l.files = files{table: []file{{first: &IO{watcher: watcher{index: 1}, fd: 7}}}, count: 1}
		}, "ev: descriptor 0 has an IO that is inactive or for 7"},
		"an inactive IO": {func(l *Loop) { l.files = files{table: []file{{first: &IO{}}}, count: 1} },
			"ev: descriptor 0 has an IO that is inactive or for 0"},
		"the count of IOs": {func(l *Loop) { l.files.count++ },
			"ev: 1 IOs, 0 changed and 0 always ready descriptors; counted 0, 0 and 0"},
		"the changed descriptors": {func(l *Loop) { l.files.table = []file{{changed: true}} },
			"ev: 0 IOs, 0 changed and 0 always ready descriptors; counted 0, 1 and 0"},
		"the list of descriptors that are always ready": {func(l *Loop) { l.files.always = []int{0} },
			"ev: 0 IOs, 0 changed and 1 always ready descriptors; counted 0, 0 and 0"},
		"a descriptor that is always ready": {func(l *Loop) { l.files.table = []file{{always: true}} },
			"ev: 0 IOs, 0 changed and 0 always ready descriptors; counted 0, 0 and 1"},

		"an inactive Embed": {func(l *Loop) { l.embedded = []*Embed{embedOf(l, 0)} },
			"ev: embedded loop 0: inconsistent host state"},
		"an Embed of another host": {func(l *Loop) { l.embedded = []*Embed{embedOf(nil, 1)} },
			"ev: embedded loop 0: inconsistent host state"},
		"an embedded loop that is delegated": {func(l *Loop) { l.embedded = []*Embed{embedOf(l, 1), embedOf(l, 2)}; l.embedded[1].delegated = true },
			"ev: embedded loop 1: inconsistent host state"},
		"an embedded loop with its proxy": {func(l *Loop) { l.embedded = []*Embed{embedOf(l, 1)}; l.embedded[0].proxied = true },
			"ev: embedded loop 0: inconsistent host state"},

		"a bit too many": {func(l *Loop) { l.pending.filled |= 1 << (2 - MinPriority) },
			"ev: priority 2: empty is true, which the bit mask denies"},
		"a bit too few": {func(l *Loop) { l.pending.filled &^= 1 << (-1 - MinPriority) },
			"ev: priority -1: empty is false, which the bit mask denies"},
		"a queued watcher that is not pending": {func(l *Loop) { firstAt(l, 1).pending = false },
			"ev: priority 1: the watcher in slot 0 is not pending there"},
		"a queued watcher that believes in another slot": {func(l *Loop) { firstAt(l, -1).slot++ },
			"ev: priority -1: the watcher in slot 0 is not pending there"},
		"a queued watcher of another priority": {func(l *Loop) { firstAt(l, 0).priority = 2 },
			"ev: priority 0: the watcher in slot 0 is not pending there"},
		"the count": {func(l *Loop) { l.pending.count++ },
			"ev: 5 pending, 1 of them posted; counted 4 and 1"},
		"the count of posts": {func(l *Loop) { l.pending.posts-- },
			"ev: 4 pending, 0 of them posted; counted 4 and 1"},

		"a place in the heap": {func(l *Loop) { l.timers.heap[1].a.pos = 9 },
			"ev: heap slot 1 holds an alarm with index 9, want 2"},
		"an inactive timer in the heap": {func(l *Loop) { l.timers.heap[2].a.index = 0 },
			"ev: heap slot 2 holds an inactive alarm"},
		"an alarm in the heap that is not armed": {func(l *Loop) { l.timers.heap[2].a.order = 0 },
			"ev: heap slot 2 holds an inactive alarm"},
		"the order of keys": {func(l *Loop) { l.timers.heap[2].key = longAgo },
			"ev: heap slot 2 is due before its parent"},
		"a key": {func(l *Loop) { l.timers.heap[2].key++ },
			"ev: heap slot 2 holds an alarm that is due before its key"},
		"the count of vacant slots": {func(l *Loop) { l.timers.vacant++ },
			"ev: 0 of 3 heap slots are vacant; counted 1"},
		"the number of vacant slots": {func(l *Loop) {
			l.timers.heap = append(l.timers.heap, make([]alarmSlot, 4)...)
			for i := range 4 {
				l.timers.heap[3+i].key = never
			}
			l.timers.vacant = 4
		}, "ev: 4 of 7 heap slots are vacant; counted 4"},
	} {
		t.Run(name, func(t *testing.T) {
			l := fullLoop(t)
			tc.spoil(l)
			assert.ErrorContains(t, l.Verify(), tc.want)
		})
	}
}

func TestVerifyReportsEveryStructureThatIsBroken(t *testing.T) {
	l := fullLoop(t)
	l.active[3].loop = nil
	l.pending.count = 99
	l.timers.heap[2].key = longAgo
	err := l.Verify()
	assert.ErrorContains(t, err, "belongs to another loop")
	assert.ErrorContains(t, err, "99 pending")
	assert.ErrorContains(t, err, "is due before its parent")
}

// tasksOf is a loop with tasks that wait.
type tasksOf struct {
	l                                        *Loop
	sleeper, joiner, first, second, receiver *Task
	parent, older, younger, fresh            *Task
	group                                    *Group
	mail                                     *Mailbox[int]
}

func taskLoop(t *testing.T) *tasksOf {
	l, err := New(WithBackend(BackendChan))
	require.NoError(t, err)
	s := &tasksOf{l: l, mail: NewMailbox[int](l, 0)}
	cond := NewCond(l)
	sleep := func(t *Task) error { return t.Sleep(time.Hour) }
	wait := func(t *Task) error { return cond.Wait(t) }
	s.sleeper = Spawn(l, sleep)
	s.joiner = Spawn(l, func(t *Task) error { return t.Join(s.sleeper) })
	s.first, s.second = Spawn(l, wait), Spawn(l, wait)
	s.receiver = Spawn(l, func(t *Task) error { _, err := s.mail.Receive(t); return err })
	s.parent = Spawn(l, func(t *Task) error {
		s.group = NewGroup(t)
		s.older, s.younger = s.group.Go(sleep), s.group.Go(sleep)
		return s.group.Wait()
	})
	require.NoError(t, l.RunNoWait())
	require.NoError(t, l.RunNoWait())
	s.fresh = Spawn(l, sleep)
	require.NoError(t, l.Verify())
	return s
}

// set sets a variable, and returns a function that sets it back.
func set[T any](p *T, v T) (undo func()) {
	old := *p
	*p = v
	return func() { *p = old }
}

func TestVerifyNamesTheInvariantOfATaskThatIsBroken(t *testing.T) {
	const (
		ended     = "it has ended"
		notToWait = "it does not wait, and has a source or a deadline"
		badLink   = "in its queue is a task that waits elsewhere, or a wrong link"
		unserved  = "its mailbox has a value for a task that waits"
		lost      = "it is not in its group"
		badGroup  = "it has a group that is empty or of another task"
		badMember = "it has a group with a task that is inactive or of another group"
	)
	for name, tc := range map[string]struct {
		spoil func(s *tasksOf) (undo func())
		want  string
	}{
		"an end": {func(s *tasksOf) func() { return set(&s.sleeper.done, true) }, ended},
		"a run that is over": {func(s *tasksOf) func() {
			s.sleeper.end.Store(returned)
			return func() { s.sleeper.end.Store(goesOn) }
		}, ended},
		"a coroutine": {func(s *tasksOf) func() { return set(&s.first.on.task, s.second) },
			"its coroutine has another task"},
		"a beginning": {func(s *tasksOf) func() { return set(&s.fresh.over, false) },
			"it is not to begin, and has no coroutine"},
		"a source":                     {func(s *tasksOf) func() { return set(&s.fresh.source, source(s.group)) }, notToWait},
		"a deadline of a running task": {func(s *tasksOf) func() { return set(&s.sleeper.running, true) }, notToWait},
		"a task in a queue": {func(s *tasksOf) func() { return set(&s.fresh.prev, s.first) },
			"it does not wait, and is in a queue"},
		"an IO": {func(s *tasksOf) func() { return set(&s.sleeper.io, &readiness{IO: IO{watcher: watcher{index: 1}}}) },
			"its IO is active, and it does not wait for that"},

		"a lost wake-up": {func(s *tasksOf) func() {
			q := s.first.source.(*line)
			q.pop()
			return func() { q.push(s.first) }
		}, "it waits in no queue"},
		"an empty queue": {func(s *tasksOf) func() { return set(&s.sleeper.joining.first, nil) }, "it is not in its queue"},
		"a task that waits elsewhere": {func(s *tasksOf) func() { return set(&s.second.source, source(s.group)) },
			badLink},
		"a link back":         {func(s *tasksOf) func() { return set(&s.second.prev, s.joiner) }, badLink},
		"the last of a queue": {func(s *tasksOf) func() { return set(&s.first.prev, s.joiner) }, badLink},
		"a joined task that has ended": {func(s *tasksOf) func() {
			return set(&s.joiner.source, source(&joined{done: true}))
		}, "it waits for a task that has ended"},
		"a value that waits": {func(s *tasksOf) func() {
			s.mail.items.push(1)
			return func() { s.mail.items.pop() }
		}, unserved},
		"a promise too many": {func(s *tasksOf) func() { return set(&s.mail.promised, 1) }, unserved},
		"a closed mailbox":   {func(s *tasksOf) func() { return set(&s.mail.closed, true) }, unserved},

		"the oldest of a group":   {func(s *tasksOf) func() { return set(&s.group.oldest, s.younger) }, lost},
		"the youngest of a group": {func(s *tasksOf) func() { return set(&s.group.youngest, s.older) }, lost},
		"a link in a group":       {func(s *tasksOf) func() { return set(&s.younger.seldom.older, s.sleeper) }, lost},
		"an empty group":          {func(s *tasksOf) func() { return set(&s.parent.seldom.groups, NewGroup(s.parent)) }, badGroup},
		"the task of a group":     {func(s *tasksOf) func() { return set(&s.group.of, s.first) }, badGroup},
		"a task of another group": {func(s *tasksOf) func() { return set(&s.older.seldom.group, nil) }, badMember},

		"the task that runs": {func(s *tasksOf) func() { return set(&s.l.task, s.first) },
			"the task of the loop does not run"},
		"a spare coroutine": {func(s *tasksOf) func() {
			return set(&s.l.spare, append(s.l.spare, s.first.on))
		}, "a spare coroutine has a task"},
	} {
		t.Run(name, func(t *testing.T) {
			s := taskLoop(t)
			undo := tc.spoil(s)
			err := s.l.Verify()
			undo()
			assert.ErrorContains(t, err, tc.want)
			assert.NoError(t, s.l.Verify())
			assert.NoError(t, s.l.Close())
		})
	}
}
