package evvet

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// A door that was renamed would be reported to everybody who uses it.
func TestEveryDoorIsAMethodOfEv(t *testing.T) {
	types := map[string]reflect.Type{
		"Async": reflect.TypeFor[*ev.Async](), "Queue": reflect.TypeFor[*ev.Queue[int]](),
		"Signal": reflect.TypeFor[*ev.Signal](), "Child": reflect.TypeFor[*ev.Child](),
		"Stat": reflect.TypeFor[*ev.Stat](), "Embed": reflect.TypeFor[*ev.Embed](),
		"Loop": reflect.TypeFor[*ev.Loop](), "Watcher": reflect.TypeFor[ev.Watcher](),
	}
	check := func(kind, method string) {
		require.Contains(t, types, kind)
		_, ok := types[kind].MethodByName(method)
		assert.True(t, ok, "%s has no method %s", kind, method)
	}
	for door := range doors {
		kind, method, _ := strings.Cut(door, ".")
		check(kind, method)
	}
	for method := range common {
		check("Watcher", method)
	}
}
