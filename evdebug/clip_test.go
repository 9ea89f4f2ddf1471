package evdebug

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
)

func TestLongNamesAreCutBetweenCharacters(t *testing.T) {
	for shift := range 5 {
		name := strings.Repeat("x", shift) + strings.Repeat("日é", 100)
		short, end := clip(name), clipPosition(name)
		assert.True(t, utf8.ValidString(short) && utf8.ValidString(end), "%q %q", short, end)
		assert.True(t, strings.HasPrefix(name, strings.TrimSuffix(short, "…")))
		assert.True(t, strings.HasSuffix(name, strings.TrimPrefix(end, "…")))
		assert.LessOrEqual(t, len(short), maxName+len("…"))
		assert.LessOrEqual(t, len(end), maxName+len("…"))
	}
	for _, name := range []string{"", "short", strings.Repeat("x", maxName)} {
		assert.Equal(t, name, clip(name))
		assert.Equal(t, name, clipPosition(name))
	}
	assert.LessOrEqual(t, len(clip(strings.Repeat("\x80", 2*maxName))), maxName+len("…"), "invalid UTF-8")
}
