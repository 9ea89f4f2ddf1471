package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary the program if its environment says so.
func TestMain(m *testing.M) {
	if os.Getenv("EV_EXAMPLE_TAIL") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

const patience = 20 * time.Second

// output collects the output of a running process.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

type process struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr output
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("needs processes, and signals")
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0], args...)}
	p.cmd.Env = append(os.Environ(), "EV_EXAMPLE_TAIL=1")
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	return p
}

// prints waits until the whole output is as wanted.
func (p *process) prints(want string) {
	p.t.Helper()
	for end := time.Now().Add(patience); p.stdout.String() != want && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	require.Equal(p.t, want, p.stdout.String(), "%s", p.stderr.String())
}

func (p *process) says(want string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Contains(p.stderr.String(), want) }, patience, time.Millisecond,
		"want %q", want)
}

// interrupt ends the process as ^C does.
func (p *process) interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
	assert.NoError(p.t, p.cmd.Wait())
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(text)
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func TestLastLinesAndWhatIsAppended(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	appendTo(t, path, "one\ntwo\nthree\n")
	p := start(t, "-n", "2", path)
	p.prints("two\nthree\n")
	appendTo(t, path, "four\nfi")
	p.prints("two\nthree\nfour\nfi")
	appendTo(t, path, "ve\n")
	p.prints("two\nthree\nfour\nfive\n")
	p.interrupt()
	assert.Empty(t, p.stderr.String())
}

func TestAFileThatIsNotThereIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "log")
	p := start(t, path)
	p.says("cannot be followed")
	require.NoError(t, os.Mkdir(filepath.Dir(path), 0o700))
	appendTo(t, path, "hello\n")
	p.prints("hello\n")
	p.says("log has appeared")
	p.interrupt()
}

func TestSeveralFilesHaveHeaders(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	appendTo(t, a, "a\n")
	appendTo(t, b, "b\n")
	p := start(t, a, b)
	want := fmt.Sprintf("==> %s <==\na\n\n==> %s <==\nb\n", a, b)
	p.prints(want)
	appendTo(t, b, "bb\n")
	want += "bb\n"
	p.prints(want)
	appendTo(t, a, "aa\n")
	want += fmt.Sprintf("\n==> %s <==\naa\n", a)
	p.prints(want)
	p.interrupt()
}

// The writer rotates at random, and truncates files that were read.
func TestEveryLineIsPrintedOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	appendTo(t, path, "the first\n")
	p := start(t, path)
	p.prints("the first\n") // it follows the file now
	want := []string{"the first\n"}
	truncated := 0
	for i := range 2000 {
		line := fmt.Sprintf("line %d\n", i)
		want = append(want, line)
		appendTo(t, path, line)
		switch {
		case i%100 == 99:
			require.NoError(t, os.Rename(path, path+".1"))
			appendTo(t, path+".1", "the last of this file\n")
			appendTo(t, path, "the first of the next\n")
			want = append(want, "the last of this file\n", "the first of the next\n")
			p.prints(strings.Join(want, "")) // of two rotations at once, one is not seen
		case i%250 == 249:
			p.prints(strings.Join(want, ""))
			require.NoError(t, os.Truncate(path, 0))
			truncated++
			require.Eventually(t, func() bool {
				return strings.Count(p.stderr.String(), "has been truncated") == truncated
			}, patience, time.Millisecond)
		}
	}
	p.prints(strings.Join(want, ""))
	p.says("has been replaced")
	p.interrupt()
}

func TestMistakesAreToldApart(t *testing.T) {
	dir := t.TempDir()
	for want, args := range map[string][]string{
		"no file to follow":              {},
		"-n must not be negative":        {"-n", "-1", "x"},
		"-interval must not be negative": {"-interval", "-1s", "x"},
		"is a directory":                 {dir},
		"empty file name":                {""},
	} {
		p := start(t, args...)
		assert.Error(t, p.cmd.Wait())
		assert.Contains(t, p.stderr.String(), want)
		assert.Contains(t, p.stderr.String(), "tail: ")
	}
}

func TestLastLines(t *testing.T) {
	long := strings.Repeat("x", 10000)
	for _, test := range []struct {
		text string
		n    int
		want string
	}{
		{"", 0, ""},
		{"", 1, ""},
		{"a", 1, "a"},
		{"a", 0, ""},
		{"\n", 1, "\n"},
		{"\n\n", 1, "\n"},
		{"a\nb", 1, "b"},
		{"a\nb\n", 1, "b\n"},
		{"a\nb\n", 2, "a\nb\n"},
		{"a\nb\n", 9, "a\nb\n"},
		{"a\n" + long + "\n" + long, 1, long},
		{"a\n" + long + "\n" + long, 2, long + "\n" + long},
		{"a\n" + long + "\n" + long + "\n", 2, long + "\n" + long + "\n"},
	} {
		at, err := lastLines(strings.NewReader(test.text), int64(len(test.text)), test.n)
		require.NoError(t, err)
		assert.Equal(t, test.want, test.text[at:], "the last %d of %.20q", test.n, test.text)
	}
}
