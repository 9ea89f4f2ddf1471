package evmeter

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"
	"weak"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/internal/look"
)

// Task is an active ev.Task, as the loop saw it.
type Task struct {
	Name     string `json:"name"`
	Position string `json:"position"` // of its function
	Priority int    `json:"priority"`

	// State is "new" before the first step, "runs" if the task is on the stack, below a nested
	// Run, "waits", or "ready" if its wait is over and the next step is still to come.
	State string    `json:"state"`
	Wait  string    `json:"wait,omitempty"` // the call that waits, such as "Sleep" or "Mailbox.Receive"
	For   string    `json:"for,omitempty"`  // the descriptor of WaitFD and WaitConn, the task of Join
	At    string    `json:"at,omitempty"`   // where the program called it, such as "/src/app/file.go:12"
	Since time.Time `json:"since,omitzero"` // when the wait began
	Until time.Time `json:"until,omitzero"` // when Sleep, or the deadline of Within, ends it

	// Goroutine is the number of the goroutine on which the function runs, as stack traces show
	// it; 0 for a new task. A task that starts later may get the same number.
	Goroutine uint64 `json:"goroutine,omitempty"`

	loop *ev.Loop
	task weak.Pointer[ev.Task]
}

// MaxTasks is the number of tasks that an Inspection has at most.
const MaxTasks = 1000

// tasksAtOnce is how many tasks the loop shows the positions of in one part. It switches to each
// of them for that.
const tasksAtOnce = PartSize / 10

// framesForAt is how many frames of a stack are enough to find the caller of a wait.
const framesForAt = 16

// taskFound is a task as the loop saw it, like found.
type taskFound struct {
	task     *ev.Task
	callback ev.Callback
	priority int
	state    look.Task
	of       ev.Callback // of the task that is joined
	stack    []uintptr
}

func findTask(t *ev.Task) taskFound {
	f := taskFound{task: t, callback: ev.CallbackOf(t), priority: t.Priority(), state: look.TaskOf(t)}
	if of, ok := f.state.Of.(ev.Watcher); ok {
		f.of = ev.CallbackOf(of)
	}
	return f
}

// tasks has the tasks that have waited longest.
type tasks []taskFound

// add never holds more than twice as many as it keeps.
func (all *tasks) add(found []taskFound) {
	for _, f := range found {
		if *all = append(*all, f); len(*all) == 2*MaxTasks {
			all.cut()
		}
	}
}

// cut puts the tasks that do not wait last.
func (all *tasks) cut() {
	slices.SortStableFunc(*all, func(a, b taskFound) int {
		if a.state.Since.IsZero() != b.state.Since.IsZero() {
			return b.state.Since.Compare(a.state.Since)
		}
		return a.state.Since.Compare(b.state.Since)
	})
	if len(*all) > MaxTasks {
		clear((*all)[MaxTasks:])
		*all = (*all)[:MaxTasks]
	}
}

// locate reads again what each task does, together with its stack. It drops the tasks that
// have ended.
func (all *tasks) locate(ask func(fn func()) error) error {
	for chunk := range slices.Chunk(*all, tasksAtOnce) {
		stacks := make([][framesForAt]uintptr, len(chunk)) // so that the loop need not allocate
		err := ask(func() {
			for i := range chunk {
				f := &chunk[i]
				if !f.task.Active() {
					f.task = nil
					continue
				}
				*f = findTask(f.task)
				f.stack = stacks[i][:look.TaskStack(f.task, stacks[i][:])]
			}
		})
		if err != nil {
			return err
		}
	}
	*all = slices.DeleteFunc(*all, func(f taskFound) bool { return f.task == nil })
	all.cut()
	return nil
}

func (f *taskFound) describe(l *ev.Loop) Task {
	s := &f.state
	t := Task{
		Name: f.callback.Name(), Position: f.callback.Position(), Priority: f.priority,
		State: "waits", Wait: s.Method, Since: s.Since, Until: s.Until, Goroutine: s.Goroutine,
		loop: l, task: weak.Make(f.task),
	}
	switch {
	case s.Runs:
		t.State = "runs"
	case s.Method == "":
		t.State = "new"
	case s.Over:
		t.State = "ready"
	}
	switch {
	case s.Of != nil:
		t.For = f.of.String()
	case s.FD >= 0:
		t.For = fmt.Sprintf("descriptor %d, %s", s.FD, events(s))
	}
	for frame := range ofProgram(f.stack) {
		t.At = fmt.Sprintf("%s:%d", frame.File, frame.Line)
		break
	}
	return t
}

func events(s *look.Task) string {
	switch {
	case s.Read && s.Write:
		return "Read|Write"
	case s.Write:
		return "Write"
	}
	return "Read"
}

// ofProgram yields the frames of the task's function and of the functions that it has called,
// the innermost first. It leaves out the functions of ev that wait, and those that run the task.
func ofProgram(pcs []uintptr) func(yield func(runtime.Frame) bool) {
	return func(yield func(runtime.Frame) bool) {
		frames, waits := runtime.CallersFrames(pcs), true
		for more := len(pcs) > 0; more; {
			var f runtime.Frame
			f, more = frames.Next()
			waits = waits && ours(f.Function)
			if strings.HasPrefix(f.Function, corePath+".(*Task).run") || !waits && !yield(f) {
				return
			}
		}
	}
}

const corePath = "github.com/goevlib/ev"

// ours reports whether the function is of package ev or evnet.
func ours(function string) bool {
	rest, ok := strings.CutPrefix(function, corePath)
	return ok && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "/evnet."))
}

// maxFrames is the depth up to which Stack shows a stack.
const maxFrames = 100

// Stack returns the stack of the task as it is now: the functions in which it waits, the innermost
// first, with the position of each. It returns "" if the task is new, runs, or has ended. For a
// task that runs, Stack of the loop returns the stack.
//
// Any goroutine but the loop's own may call Stack. It waits for the loop as Inspect does, and
// returns the errors of Inspect. It holds up the loop for about a microsecond, and stops no other
// goroutine.
func (t Task) Stack(ctx context.Context) (string, error) {
	task := t.task.Value()
	if task == nil {
		return "", nil
	}
	pcs := make([]uintptr, maxFrames)
	err := look.Ask(ctx, t.loop, func() { pcs = pcs[:look.TaskStack(task, pcs)] })
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for f := range ofProgram(pcs) {
		fmt.Fprintf(&text, "%s\n\t%s:%d\n", cmp.Or(f.Function, "unknown"), f.File, f.Line)
	}
	return text.String(), nil
}
