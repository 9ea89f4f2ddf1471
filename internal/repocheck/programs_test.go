package repocheck

import (
	"context"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every Go program in the documentation is complete and works as printed, so that it
// can be copied. A program that ends with a comment "// Output:" is run, and its output
// compared. A package whose name ends with _test is a test file, and must pass. Any other
// program is compiled.
//
// The go command starts slowly, so all programs are packages of one module.
func TestTheProgramsInTheDocumentationWork(t *testing.T) {
	atRoot(t)
	if _, err := exec.LookPath("go"); err != nil || testing.Short() {
		t.Skip("needs the go command")
	}
	if runtime.GOOS == "windows" {
		t.Skip("some of the programs watch descriptors")
	}
	blocks := programs(t)
	dir := newModule(t)
	for i, b := range blocks {
		b.write(t, filepath.Join(dir, packageName(i)))
	}
	instrument := fmt.Sprint("-race=", raceEnabled)
	goCommand(t, dir, "vet", "./...")
	goCommand(t, dir, "build", instrument, "-o", "bin/", "./...")
	goCommand(t, dir, "test", instrument, "./...")
	for i, b := range blocks {
		if want, ok := b.output(); ok {
			t.Run(b.String(), func(t *testing.T) {
				assert.Equal(t, want, runProgram(t, filepath.Join(dir, "bin", packageName(i))))
			})
		}
	}
}

// block is a fenced block of code in a page.
type block struct {
	page     string
	line     int // of its first line of code
	language string
	code     string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// programs returns all blocks of Go.
func programs(t *testing.T) (found []block) {
	for _, page := range pages(t) {
		_, blocks := split(t, page)
		for _, b := range blocks {
			if b.language == "go" {
				found = append(found, b)
			}
		}
	}
	require.NotEmpty(t, found)
	return found
}

// pages are the files of the documentation, by their paths from the root.
func pages(t *testing.T) []string {
	found := []string{"README.md", "CONTRIBUTING.md"}
	require.NoError(t, filepath.WalkDir("docs", func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".md" {
			found = append(found, filepath.ToSlash(path))
		}
		return err
	}))
	return found
}

var fence = regexp.MustCompile("^( *)(```+) *([^` ]*)[^`]*$")

// split separates a page's prose from its blocks of code. In the prose, lines of code
// are empty.
func split(t *testing.T, page string) (prose []string, blocks []block) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	end := "" // the end of the current block
	for number, line := range strings.Split(string(text), "\n") {
		mark := fence.FindStringSubmatch(line)
		switch {
		case end == "" && mark == nil:
			prose = append(prose, line)
			continue
		case end == "":
			require.Empty(t, mark[1], "%s:%d: a block that is indented cannot be copied", page, number+1)
			blocks = append(blocks, block{page: page, line: number + 2, language: mark[3]})
			end = mark[2]
		case line == end:
			end = ""
		default:
			blocks[len(blocks)-1].code += line + "\n"
		}
		prose = append(prose, "")
	}
	require.Empty(t, end, "%s: a block does not end", page)
	return prose, blocks
}

var clause = regexp.MustCompile(`(?m)^package (main|\w+_test)$`)

func (b block) isTest() bool { return clause.FindStringSubmatch(b.code)[1] != "main" }

// write makes the block a package. Errors have the line numbers of the page.
func (b block) write(t *testing.T, dir string) {
	require.Regexp(t, clause, b.code, "%s: neither a complete program nor a test file", b)
	file := "main.go"
	if b.isTest() {
		file = "page_test.go"
	}
	formatted, err := format.Source([]byte(b.code))
	require.NoError(t, err, b)
	assert.Equal(t, string(formatted), b.code, "%s: not gofmt'ed", b)

	page, err := filepath.Abs(b.page)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(dir, 0o700))
	source := fmt.Sprintf("//line %s:%d\n%s", page, b.line, b.code)
	require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(source), 0o600))
}

var outputComment = regexp.MustCompile(`(?m)^\s*// Output:(.*\n(?:\s*//.*\n)*)`)

// output returns the expected output of the program, if it has a comment with that. The
// examples in a test file are run by the testing package.
func (b block) output() (want string, ok bool) {
	comment := outputComment.FindStringSubmatch(b.code)
	if comment == nil || b.isTest() {
		return "", false
	}
	for line := range strings.Lines(comment[1]) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "//")
		want += strings.TrimPrefix(line, " ") + "\n"
	}
	return strings.TrimSpace(want), true
}

func packageName(i int) string { return fmt.Sprint("program", i) }

// newModule makes a module that uses this one, with the dependencies of this module's
// tests.
func newModule(t *testing.T) string {
	const path = "github.com/goevlib/ev"
	root, err := os.Getwd()
	require.NoError(t, err)
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	sum, err := os.ReadFile("go.sum")
	require.NoError(t, err)

	dir := t.TempDir()
	text := strings.Replace(string(mod), "module "+path+"\n", "module docs\n", 1)
	text += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %q\n", path, path, root)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600))
	return dir
}

func goCommand(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s\n%s", strings.Join(args, " "), out)
}

// runProgram runs the program with EV_DEBUG=1, which checks that one goroutine uses the
// loop.
func runProgram(t *testing.T, path string) string {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "EV_DEBUG=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(excused.ReplaceAll(out, nil)))
}

// excused are remarks of EV_DEBUG=1: on a mistake that the program of the FAQ shows, and on a
// machine that is busy.
var excused = regexp.MustCompile(
	`(?m)^.* WARN ev: (Stop before Run has no effect|a callback holds the loop for 100 ms and more).*\n`)
