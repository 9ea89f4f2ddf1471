package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

const inMain = "EV_EXAMPLE_CLUSTER"

// TestMain makes the test binary the program if its environment says so. The
// processes that it starts are the program too.
func TestMain(m *testing.M) {
	if os.Getenv(inMain) == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), inMain+"=1", "EV_DEBUG=1")
	return cmd
}

// ofNATS is what NATS writes about a connection to a killed server if data was on its way: the
// system resets it then.
var ofNATS = regexp.MustCompile(`(?m)^(read|write) tcp .*: (connection reset by peer|broken pipe) on connection \[\d+\]\n`)

func TestTheOwnerKnowsAllThoughItsServerWasKilled(t *testing.T) {
	cmd := program("-senders", "3", "-goroutines", "4", "-counts", "300")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, stderr.String())
	text := string(out)
	assert.Empty(t, ofNATS.ReplaceAllString(stderr.String(), ""))
	assert.Equal(t, 2, strings.Count(text, "the server is killed"), text)
	assert.Contains(t, text, "   900 counted: the owner knows of all\n")
	_, figures, found := strings.Cut(text, "\n\n")
	require.True(t, found, text)
	var sends, processes, goroutines, messages, arrived, itself, callbacks, reads int
	_, err = fmt.Sscanf(figures, "%d sends, in %d processes of %d goroutines\n%d messages published\n"+
		"%d messages that came to the owner; it woke itself %d times beside\n%d callbacks\n%d reads of the state",
		&sends, &processes, &goroutines, &messages, &arrived, &itself, &callbacks, &reads)
	require.NoError(t, err, text)
	assert.Equal(t, []int{900, 3, 4}, []int{sends, processes, goroutines})
	assert.Less(t, messages, sends, "a server that is away has a message or so of each sender wait for it")
	assert.LessOrEqual(t, arrived, messages)
	// After the last outage a sender may be earlier than the owner's confirmation.
	assert.GreaterOrEqual(t, itself, 1, "at its start at least")
	assert.LessOrEqual(t, callbacks, arrived+itself)
	assert.LessOrEqual(t, reads, callbacks)
}

// lines collects the reports of an owner.
type lines struct {
	mu   sync.Mutex
	last report
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = report{}
	return len(p), json.Unmarshal(p, &l.last)
}

func (l *lines) total() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.Counters.total()
}

// This owner is woken only by itself, at its start.
func TestAnOwnerWhoseReadFailsReadsAgain(t *testing.T) {
	var failures atomic.Int32
	store := newStore()
	serving := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if failures.Add(1) == 1 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		store.ServeHTTP(w, r)
	}))
	defer serving.Close()
	post := httptest.NewRequest(http.MethodPost, "/x", nil)
	store.ServeHTTP(httptest.NewRecorder(), post)

	ctx, cancel := context.WithCancel(context.Background())
	address, err := freeAddress()
	require.NoError(t, err)
	var out lines
	ended := make(chan error, 2)
	go func() { ended <- runServer(ctx, []string{"-listen", address}, io.Discard) }()
	go func() {
		ended <- runOwner(ctx, []string{"-store", serving.URL, "-nats", "nats://" + address, "-every", "1h"}, &out)
	}()
	assert.Eventually(t, func() bool { return out.total() == 1 }, 20*time.Second, time.Millisecond)
	cancel()
	require.NoError(t, <-ended)
	require.NoError(t, <-ended)
	assert.Equal(t, counters{"x": 1}, out.last.Counters)
	require.NotNil(t, out.last.Wakeups)
	assert.EqualValues(t, 1, out.last.Wakeups.Callbacks)
	assert.Equal(t, 2, out.last.Reads)
}

// The first read has its answer before the count, and brings it after the wake-up.
func TestAWakeUpDuringAReadIsOneMoreRead(t *testing.T) {
	store := newStore()
	count := func() {
		store.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/x", nil))
	}
	answered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	serving := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		store.ServeHTTP(w, r)
		once.Do(func() {
			close(answered)
			<-release
		})
	}))
	defer serving.Close()
	loop, err := ev.New()
	require.NoError(t, err)
	defer loop.Close()
	var out lines
	o := newOwner(context.Background(), loop, newStoreClient(serving.URL, 1), &out)
	count()
	o.read()
	<-answered
	count()
	for range 100 {
		o.read()
	}
	close(release)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, loop.Run(ctx))
	assert.Equal(t, 2, out.total())
	assert.Equal(t, 2, o.reads)
}

func TestTheStoreCountsWhatIsCountedAtOnce(t *testing.T) {
	serving := httptest.NewServer(newStore())
	defer serving.Close()
	client := newStoreClient(serving.URL, 8)
	ctx := context.Background()
	empty, err := client.read(ctx)
	require.NoError(t, err)
	assert.Empty(t, empty)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				assert.NoError(t, client.count(ctx, senderName(i%2)))
			}
		})
	}
	all.Wait()
	state, err := client.read(ctx)
	require.NoError(t, err)
	assert.Equal(t, counters{"sender-1": 200, "sender-2": 200}, state)
	assert.Equal(t, 400, state.total())
	assert.ErrorContains(t, client.count(ctx, ""), "405 Method Not Allowed")
	serving.Close()
	assert.Error(t, client.count(ctx, "x"))
}

func TestMistakesAreNamed(t *testing.T) {
	for want, args := range map[string][]string{
		`no such role: "boss" (there are store, server, owner and sender)`:          {"boss"},
		"flag provided but not defined: -x":                                         {"-x"},
		`unexpected argument: "more"`:                                               {"-senders", "2", "more"},
		"-senders must be positive: 0":                                              {"-senders", "0"},
		"-goroutines must be positive: -1":                                          {"-goroutines", "-1"},
		"-counts must be positive: 0":                                               {"-counts", "0"},
		"sender: -name must not be empty":                                           {"sender", "-name", ""},
		"sender: -counts must not be negative: -1":                                  {"sender", "-counts", "-1"},
		"sender: -goroutines must be positive: 0":                                   {"sender", "-goroutines", "0"},
		"server: -listen: address x: missing port in address":                       {"server", "-listen", "x"},
		`server: -listen: not a port: "http"`:                                       {"server", "-listen", ":http"},
		"store: listen tcp: address 99999: invalid port":                            {"store", "-listen", ":99999"},
		`owner: wake: name "counters": the time between looks must be positive: 0s`: {"owner", "-every", "0"},
	} {
		cmd := program(args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe() // which stays open: its end would end the process
		require.NoError(t, err)
		assert.Error(t, cmd.Run(), "%q", args)
		stdin.Close()
		assert.Equal(t, "cluster: "+want+"\n", stderr.String())
	}
}

func TestHelpIsForTheRole(t *testing.T) {
	for _, role := range []string{"", "store", "server", "owner", "sender"} {
		cmd := program(strings.Fields(role + " -h")...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdin, err := cmd.StdinPipe()
		require.NoError(t, err)
		assert.Error(t, cmd.Run())
		stdin.Close()
		assert.Equal(t, 2, cmd.ProcessState.ExitCode())
		assert.Contains(t, stderr.String(), strings.TrimSpace("usage of cluster "+role)+":\n")
	}
}
