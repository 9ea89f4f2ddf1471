package evexpvar_test

import (
	"context"
	"encoding/json"
	"expvar"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evexpvar"
)

func TestTheVariableListsTheLiveLoops(t *testing.T) {
	evexpvar.Publish("ev")
	read := func() (loops []evexpvar.Loop) {
		require.NoError(t, json.Unmarshal([]byte(expvar.Get("ev").String()), &loops))
		return loops
	}
	assert.Equal(t, "[]", expvar.Get("ev").String())
	l, err := ev.New(ev.WithName("main"))
	require.NoError(t, err)
	ev.NewTimer(l, 0, 0, func(*ev.Timer) {
		require.Len(t, read(), 1)
		assert.True(t, read()[0].Running)
		assert.False(t, read()[0].Parked)
	}).Start()
	require.NoError(t, l.Run(context.Background()))
	loops := read()
	require.Len(t, loops, 1)
	assert.Equal(t, "main", loops[0].Name)
	assert.Equal(t, l.ID(), loops[0].ID)
	assert.False(t, loops[0].Running)
	assert.EqualValues(t, 1, loops[0].Callbacks)
	assert.Equal(t, l.Stats(), loops[0].Stats)
	require.NoError(t, l.Close())
	assert.Empty(t, read())
	assert.Panics(t, func() { evexpvar.Publish("ev") })
}
