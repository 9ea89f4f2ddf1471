package repocheck

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page names the tests behind each promise. They must exist.
const page = "docs/reliability.md"

var (
	testName    = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`)
	testList    = regexp.MustCompile("Tests(?:\\s+in\\s+`([^`]+)`)?:\\s+((?:(?:Test|Fuzz)\\w+,\\s+)*(?:Test|Fuzz)\\w+)\\.")
	declaration = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	code        = regexp.MustCompile("`([^`\n]+)`")
	file        = regexp.MustCompile(`^[\w./-]*(?:/[\w.-]+|\.(?:go|md|sh|pml))$`)
)

// declared returns the tests of a package, by its directory.
func declared(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	require.NoError(t, err)
	for _, f := range files {
		source, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, d := range declaration.FindAllStringSubmatch(string(source), -1) {
			names = append(names, d[1])
		}
	}
	return names
}

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	return string(text)
}

func TestTheTestsOnThePageOfReliabilityAreWhereItSays(t *testing.T) {
	atRoot(t)
	text, lists, have := readPage(t), 0, map[string][]string{}
	for _, list := range testList.FindAllStringSubmatch(text, -1) {
		in := cmp.Or(list[1], ".")
		if have[in] == nil {
			have[in] = declared(t, in)
		}
		for _, name := range testName.FindAllString(list[2], -1) {
			assert.True(t, slices.Contains(have[in], name), "%s has no %s", in, name)
		}
		lists++
	}
	assert.Greater(t, lists, 80)

	// The rest are patterns for go test.
	for _, name := range testName.FindAllString(testList.ReplaceAllString(text, ""), -1) {
		begins := func(test string) bool { return strings.HasPrefix(test, name) }
		assert.True(t, slices.ContainsFunc(have["."], begins), "no test begins with %s", name)
	}
}

func TestThePageOfReliabilityNamesEveryTestOfFaults(t *testing.T) {
	atRoot(t)
	text := readPage(t)
	for _, name := range declared(t, "internal/faults") {
		assert.True(t, slices.Contains(testName.FindAllString(text, -1), name), "%s does not name %s", page, name)
	}
}

func TestTheFilesOnThePageOfReliabilityExist(t *testing.T) {
	atRoot(t)
	seen := 0
	text := strings.ReplaceAll(readPage(t), "```", "") // no pairs of single backquotes
	for _, c := range code.FindAllStringSubmatch(text, -1) {
		for word := range strings.FieldsSeq(c[1]) {
			if !file.MatchString(word) || strings.HasSuffix(word, "...") {
				continue
			}
			_, err := fs.Stat(os.DirFS("."), path.Clean(word))
			assert.NoError(t, err)
			seen++
		}
	}
	assert.Greater(t, seen, 10)
}
