package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newLog(t *testing.T) *accessLog {
	t.Helper()
	a, err := openLog(filepath.Join(t.TempDir(), "access.log"))
	require.NoError(t, err)
	t.Cleanup(func() { a.file.Close() })
	return a
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// said returns a record with this request line.
func said(request string) *record {
	return &record{remote: "::1", request: request, status: 200, size: 13,
		start: time.Date(2025, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600)), took: 1234567 * time.Nanosecond}
}

func TestLogLine(t *testing.T) {
	a := newLog(t)
	a.add(said("GET /hello?name=x HTTP/1.1"))
	require.NoError(t, a.close())
	assert.Equal(t, `::1 - - [03/Feb/2025:04:05:06 +0100] "GET /hello?name=x HTTP/1.1" 200 13 0.001235`+"\n", contents(t, a.path))
}

func TestOneRequestIsOneLineWhateverTheClientSends(t *testing.T) {
	a := newLog(t)
	a.add(said("GET /a\"b\\c\r\n::1 - - forged\u2028\x00\x1b[2J\xff HTTP/1.1"))
	require.NoError(t, a.close())
	assert.Contains(t, contents(t, a.path), `"GET /a\"b\\c\r\n::1 - - forged\u2028\x00\x1b[2J\xff HTTP/1.1"`)
	assert.Equal(t, 1, strings.Count(contents(t, a.path), "\n"))
}

func TestLogAppendsToWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o600))
	a, err := openLog(path)
	require.NoError(t, err)
	a.add(said("after"))
	require.NoError(t, a.close())
	assert.Regexp(t, `^before\n.*"after".*\n$`, contents(t, path))
}

func TestLogKeepsTheOldFileWhenThereIsNoNewOne(t *testing.T) {
	if os.PathSeparator == '\\' {
		t.Skip("an open file cannot be renamed")
	}
	a := newLog(t)
	old := a.path + ".1"
	a.add(said("one"))
	require.NoError(t, os.Rename(a.path, old))
	require.NoError(t, os.Mkdir(a.path, 0o700))
	assert.ErrorContains(t, a.reopen(), "going on with the old file")
	a.add(said("two"))
	require.NoError(t, a.flush())
	assert.Regexp(t, `"one".*\n.*"two".*\n$`, contents(t, old))

	require.NoError(t, os.Remove(a.path))
	a.add(said("three"))
	require.NoError(t, a.reopen())
	a.add(said("four"))
	require.NoError(t, a.close())
	assert.Regexp(t, `"three".*\n$`, contents(t, old), "lines from before the reopening are in the old file")
	assert.Regexp(t, `^[^\n]*"four".*\n$`, contents(t, a.path))
}

func TestLogKeepsWhatCannotBeWritten(t *testing.T) {
	a := newLog(t)
	require.NoError(t, a.file.Close())
	a.add(said("kept"))
	assert.ErrorContains(t, a.flush(), "access log")
	assert.Error(t, a.reopen(), "that the old file cannot be closed")
	require.NoError(t, a.close())
	assert.Regexp(t, `^.*"kept".*\n$`, contents(t, a.path))
}

func TestLogSaysWhatIsLost(t *testing.T) {
	a := newLog(t)
	require.NoError(t, a.file.Close())
	a.buf = make([]byte, holdMax)
	a.add(said("too much"))
	err := a.close()
	assert.ErrorContains(t, err, "16777216 bytes are lost")
	assert.ErrorContains(t, err, "1 lines were dropped")
}
