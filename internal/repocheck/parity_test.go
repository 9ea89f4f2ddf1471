package repocheck

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	apiFunc   = regexp.MustCompile(`(?m)^ev: func ev\.(\w+)`)
	apiConst  = regexp.MustCompile(`(?m)^ev: const (\w+) `)
	apiMethod = regexp.MustCompile(`(?m)^ev: type (\w+), (\w+) func`)
	apiVar    = regexp.MustCompile(`(?m)^ev: var ev\.(\w+)`)
	quoted    = regexp.MustCompile("`([^`]+)`")
	numbered  = regexp.MustCompile(`^ \d+ $`)
)

// exportedNames returns the exported names of package ev. Methods are like "Loop.Run".
func exportedNames(t *testing.T) map[string]bool {
	text, err := os.ReadFile("testdata/api.txt")
	require.NoError(t, err)
	names := make(map[string]bool)
	for _, kind := range []*regexp.Regexp{apiFunc, apiConst, apiVar} {
		for _, found := range kind.FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
	}
	for _, found := range apiMethod.FindAllStringSubmatch(string(text), -1) {
		names[found[1]+"."+found[2]] = true
	}
	return names
}

func TestTheParityTableNamesWhatExists(t *testing.T) {
	atRoot(t)
	table, err := os.ReadFile("docs/parity.md")
	require.NoError(t, err)
	names := exportedNames(t)
	rows := 0
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !numbered.MatchString(cells[1]) {
			continue
		}
		rows++
		for _, name := range quoted.FindAllStringSubmatch(cells[3], -1) {
			assert.True(t, names[name[1]], "row %s: there is no %s", cells[1], name[1])
		}
		if strings.TrimSpace(cells[3]) == "" {
			assert.Contains(t, cells[4], "left out", "row %s", cells[1])
		}
	}
	assert.Equal(t, 61, rows)
}
