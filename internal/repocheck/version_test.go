package repocheck

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

var release = regexp.MustCompile(`(?m)^## (\d+\.\d+\.\d+) `)

// .ci/release sets ev.Version together with the section of the changes, and .ci/outsider
// compares it with the version that the go command has resolved.
func TestTheVersionIsThatOfTheLatestSectionOfTheChanges(t *testing.T) {
	atRoot(t)
	changes, err := os.ReadFile("CHANGELOG.md")
	require.NoError(t, err)
	if latest := release.FindSubmatch(changes); latest != nil {
		assert.Equal(t, string(latest[1]), ev.Version)
	}
}
