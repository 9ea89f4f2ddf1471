package repocheck

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The limits of how we write; see CONTRIBUTING.md. They only go down.
const (
	mostHeadless = 1.6 // per 1000 words
	mostLong     = 0   // lines of more than maxColumns, tables and links aside
	maxColumns   = 100
)

// headless finds most breaches of rule 2: a subject that names nothing. It also finds
// questions, which are few.
var headless = regexp.MustCompile(`\b([Ww]ho(ever)?|[Ww]hat(ever)?|[Tt]hose (that|who))\b`)

// passage is a line of prose, in a page or a comment.
type passage struct {
	file    string
	line    int
	text    string
	columns int
}

// folder returns the passage's folder, with pages and tests apart.
func (p passage) folder() string {
	dir := filepath.ToSlash(filepath.Dir(p.file))
	switch {
	case strings.HasSuffix(p.file, ".md"):
		return dir + " pages"
	case strings.HasSuffix(p.file, "_test.go"):
		return dir + " tests"
	}
	return dir
}

// TestTheProseIsPlain counts rule 2. With -v it lists every place, and then the
// folders with their counts.
func TestTheProseIsPlain(t *testing.T) {
	atRoot(t)
	all := tally{}
	folders := map[string]tally{}
	for _, p := range prose(t) {
		found := headless.FindAllString(p.text, -1)
		for _, match := range found {
			t.Logf("%s:%d: %q", p.file, p.line, match)
		}
		one := tally{len(strings.Fields(p.text)), len(found)}
		all.add(one)
		folder := folders[p.folder()]
		folder.add(one)
		folders[p.folder()] = folder
	}
	require.Greater(t, all.words, 50_000)
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		t.Logf("%5.1f per 1000 words: %s (%d in %d)",
			folders[name].rate(), name, folders[name].found, folders[name].words)
	}
	assert.LessOrEqual(t, all.rate(), mostHeadless, "%d headless relatives in %d words", all.found, all.words)
}

// tally counts words, and the headless relatives among them.
type tally struct{ words, found int }

func (n *tally) add(other tally) {
	n.words += other.words
	n.found += other.found
}

func (n tally) rate() float64 { return float64(n.found) * 1000 / float64(max(n.words, 1)) }

// TestTheLinesOfProseAreShort lists, with -v, every line that is too long.
func TestTheLinesOfProseAreShort(t *testing.T) {
	atRoot(t)
	long := 0
	for _, p := range prose(t) {
		if p.columns > maxColumns && !mayBeLong(p.text) {
			long++
			t.Logf("%s:%d: %d columns", p.file, p.line, p.columns)
		}
	}
	assert.LessOrEqual(t, long, mostLong, "lines of more than %d columns", maxColumns)
}

// mayBeLong reports whether a line cannot be broken: rows of tables, and links.
func mayBeLong(line string) bool {
	return strings.HasPrefix(line, "|") || strings.Contains(line, "](") || strings.Contains(line, "://")
}

// prose returns the lines of all pages and of all comments, those of tests too.
func prose(t *testing.T) (all []passage) {
	for _, page := range pages(t) {
		lines, _ := split(t, page)
		for i, line := range lines {
			all = append(all, passage{page, i + 1, line, utf8.RuneCountInString(line)})
		}
	}
	for _, file := range sources(t) {
		all = append(all, comments(t, file)...)
	}
	return all
}

// sources are the Go files of all modules.
func sources(t *testing.T) (files []string) {
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git") {
			return filepath.SkipDir
		}
		if filepath.Ext(path) == ".go" {
			files = append(files, path)
		}
		return err
	}))
	return files
}

// comments returns the lines of a file's comments, without directives and blocks of code.
func comments(t *testing.T, file string) (lines []passage) {
	source, err := os.ReadFile(file)
	require.NoError(t, err)
	code := strings.Split(string(source), "\n")
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, file, source, parser.ParseComments)
	require.NoError(t, err)
	for _, group := range parsed.Comments {
		for _, c := range group.List {
			if text, ok := strings.CutPrefix(c.Text, "// "); ok {
				line := fset.Position(c.Pos()).Line
				lines = append(lines, passage{file, line, text, commentColumns(code[line-1], c.Text)})
			}
		}
	}
	return lines
}

// commentColumns returns the length of a line that is a comment, with four columns for a
// tab. Code in front of a comment does not count.
func commentColumns(line, comment string) int {
	n := utf8.RuneCountInString(comment)
	if indent := len(line) - len(strings.TrimLeft(line, "\t")); strings.HasPrefix(line[indent:], "//") {
		n += 4 * indent
	}
	return n
}
