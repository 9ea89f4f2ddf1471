package repocheck

import (
	"cmp"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// platformNames has the names of the tables, where the scripts have others.
var platformNames = map[string]string{
	"aix": "AIX", "android": "Android", "darwin": "macOS", "kernel": "Linux 6.1", "linux": "Linux",
	"freebsd": "BSDs", "netbsd": "BSDs", "openbsd": "BSDs", "dragonfly": "BSDs",
	"solaris": "Solaris", "windows": "Windows",
}

// Two scripts list the systems that ev is built for, and the platforms that its tests run on. The
// tables of the README and of docs/platforms.md name each of them.
func TestTheTablesOfPlatformsNameWhatIsBuiltAndRun(t *testing.T) {
	atRoot(t)
	built := words(t, ".ci/run", `(?s)\ntargets="(.*?)"`)
	run := words(t, ".ci/platforms", `\nlong\) platforms="(.*?)"`)
	ofQuick := words(t, ".ci/platforms", `\nquick\) platforms="(.*?)"`)
	assert.Subset(t, run, ofQuick)
	for _, file := range []string{"README.md", "docs/platforms.md"} {
		table := platformTable(t, file)
		for _, target := range built {
			system, _, _ := strings.Cut(target, "/")
			assert.Regexp(t, `\b`+platformName(system)+`\b`, table, "%s, of .ci/run", file)
		}
		for _, platform := range run {
			assert.Regexp(t, `\b`+platformName(platform)+`\b`, table, "%s, of .ci/platforms", file)
		}
	}
}

func platformName(of string) string { return cmp.Or(platformNames[of], of) }

// words returns the words of a variable of a script.
func words(t *testing.T, script, variable string) []string {
	t.Helper()
	text, err := os.ReadFile(script)
	require.NoError(t, err)
	found := regexp.MustCompile(variable).FindSubmatch(text)
	require.NotNil(t, found, "%s has no %s", script, variable)
	return strings.Fields(string(found[1]))
}

// platformTable returns the lines of tables in the file.
func platformTable(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var table []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "|") {
			table = append(table, line)
		}
	}
	return strings.Join(table, "")
}
