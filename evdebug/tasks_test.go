package evdebug_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evdebug"
	"github.com/goevlib/ev/evmeter"
)

// asked is the part of the JSON about the task that ?task= names.
type asked struct {
	Name, State, Wait, Stack string
	Found                    bool
}

func readTask(t *testing.T, h http.Handler, l *ev.Loop, number any) (a asked) {
	t.Helper()
	w := get(h, fmt.Sprint(pathOf(l), "?format=json&task=", number))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	var r struct{ Task *asked }
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &r))
	require.NotNil(t, r.Task)
	return *r.Task
}

func stopTasks(t *testing.T, l *ev.Loop) {
	t.Helper()
	onLoop(t, l, func() {
		for _, w := range slices.Collect(l.Watchers()) {
			w.Stop()
		}
	})
}

func sleepLong(task *ev.Task) error { return task.Sleep(time.Hour) }

func TestThePageListsTasksAndShowsTheStackOfOne(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		onLoop(t, l, func() {
			mail := ev.NewMailbox[int](l, 0)
			ev.Spawn(l, func(task *ev.Task) error { return sleepLong(task) }, ev.Name("sleeper"))
			ev.Spawn(l, func(task *ev.Task) error {
				if err := task.Sleep(time.Minute); err != nil {
					return err
				}
				_, err := mail.Receive(task)
				return err
			}, ev.Name("receiver"), ev.Priority(-2))
		})
		time.Sleep(2 * time.Minute)
		r := read(t, h, l)
		require.NotNil(t, r.Inspection)
		require.Len(t, r.Inspection.Tasks, 2)
		assert.Equal(t, "sleeper", r.Inspection.Tasks[0].Name, "it has waited longer")
		number := r.Inspection.Tasks[0].Goroutine
		body := strings.Join(strings.Fields(get(h, pathOf(l)).Body.String()), " ")
		assert.Contains(t, body, fmt.Sprintf(`<td class="n">2m0s</td> <th scope="row"><a href="?task=%d"><span class="kind">Task</span>`+
			` <span class="name">sleeper</span></a></th> <td class="n">0</td> <td>waits</td> <td>Sleep</td> <td class="n">58m0s</td>`, number))
		assert.Contains(t, body, `<td>Mailbox.Receive</td> <td class="n"></td>`)
		assert.NotContains(t, body, `id="task"`, "no stack unless asked")

		shown := readTask(t, h, l, number)
		assert.Equal(t, []string{"sleeper", "waits", "Sleep"}, []string{shown.Name, shown.State, shown.Wait})
		assert.True(t, strings.HasPrefix(shown.Stack, "github.com/goevlib/ev/evdebug_test.sleepLong\n"), shown.Stack)
		body = get(h, fmt.Sprint(pathOf(l), "?task=", number)).Body.String()
		assert.Contains(t, body, "Where the task sleeper waits")
		assert.Contains(t, body, "evdebug_test.sleepLong\n")
		for _, none := range []any{0, uint64(1 << 40), "x", "-1"} {
			assert.Equal(t, asked{}, readTask(t, h, l, none), "%v", none)
		}
		assert.Contains(t, get(h, pathOf(l)+"?task=0").Body.String(), "No such task")

		stopTasks(t, l)
		assert.Empty(t, readTask(t, h, l, number).Stack)
		time.Sleep(2 * time.Second)
		assert.Equal(t, asked{}, readTask(t, h, l, number))
		assert.NotContains(t, get(h, pathOf(l)).Body.String(), "What the tasks wait for")
	})
}

func TestManyTasksAreShownUpToALimit(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		long := strings.Repeat("connection é", 100)
		onLoop(t, l, func() {
			for i := range 2 * evmeter.MaxTasks {
				ev.Spawn(l, sleepLong, ev.Name(fmt.Sprint(i, long)))
			}
		})
		time.Sleep(time.Second)
		r := read(t, h, l)
		require.NotNil(t, r.Inspection)
		assert.Len(t, r.Inspection.Tasks, evmeter.MaxTasks)
		assert.Less(t, len(r.Inspection.Tasks[0].Name), 250)
		body := get(h, pathOf(l)).Body.String()
		_, table, _ := strings.Cut(body, "What the tasks wait for")
		table, _, _ = strings.Cut(table, "</section>")
		assert.Equal(t, 100, strings.Count(table, `<th scope="row">`))
		assert.Contains(t, table, "And 900 more")
		assert.Less(t, get(h, pathOf(l)+"?format=json").Body.Len(), 3_000_000)
		stopTasks(t, l)
	})
}

// Each question waits 150 ms for the callback in progress. All questions of an inspection with
// tasks take longer than a page waits, but the loop is not stuck.
func TestALoopWithTasksThatAnswersSlowlyIsNotStuck(t *testing.T) {
	inBubble(t, func(t *testing.T, l *ev.Loop, h http.Handler) {
		onLoop(t, l, func() {
			ev.Spawn(l, sleepLong)
			ev.NewIdle(l, func(*ev.Idle) { time.Sleep(150 * time.Millisecond) }).Start()
		})
		time.Sleep(10 * time.Millisecond)
		for range 5 {
			assert.Equal(t, "busy", read(t, h, l).State)
			time.Sleep(time.Second)
		}
		r := read(t, h, l)
		require.NotNil(t, r.Inspection)
		assert.Len(t, r.Inspection.Tasks, 1)
		stopTasks(t, l)
	})
}

func blockInTask(end <-chan bool) { <-end }

// The function of a task runs on a goroutine of its own.
func TestALoopStuckInATaskIsShownWithTheStackOfTheTask(t *testing.T) {
	for _, measured := range []bool{false, true} {
		t.Run(fmt.Sprint("measured before: ", measured), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, err := ev.New(ev.WithBackend(ev.BackendChan))
				require.NoError(t, err)
				defer l.Close()
				h, end, done := evdebug.Handler(), make(chan bool), make(chan error)
				if measured {
					get(h, pathOf(l))
				}
				ev.Spawn(l, func(task *ev.Task) error {
					if err := task.Sleep(time.Second); err != nil {
						return err
					}
					blockInTask(end)
					return nil
				}, ev.Name("culprit"))
				ev.Spawn(l, sleepLong).Keep(false)
				go func() { done <- l.Run(t.Context()) }()
				time.Sleep(3 * time.Second)
				r := read(t, h, l)
				assert.Equal(t, "stuck", r.State)
				assert.Contains(t, r.Stack, "evdebug_test.blockInTask(")
				body := get(h, pathOf(l)).Body.String()
				assert.Contains(t, body, "evdebug_test.blockInTask(")
				if measured {
					require.Len(t, r.InProgress, 1)
					assert.Equal(t, "Task culprit", r.InProgress[0].Source.Kind+" "+r.InProgress[0].Source.Name)
					assert.Equal(t, 2200*time.Millisecond, r.InProgress[0].Took, "of this step, when the page has waited for the loop")
				}
				close(end)
				require.NoError(t, <-done)
			})
		})
	}
}
