package gclplugin_test

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis"

	"github.com/goevlib/ev/evvet"
	_ "github.com/goevlib/ev/evvet/gclplugin"
)

func TestGolangciLintFindsThePlugin(t *testing.T) {
	newPlugin, err := register.GetPlugin("evvet")
	require.NoError(t, err)
	plugin, err := newPlugin(nil)
	require.NoError(t, err)
	analyzers, err := plugin.BuildAnalyzers()
	require.NoError(t, err)
	assert.Equal(t, []*analysis.Analyzer{evvet.Analyzer}, analyzers)
	assert.Equal(t, register.LoadModeTypesInfo, plugin.GetLoadMode())
}
