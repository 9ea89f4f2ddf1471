package evvet_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/analysistest"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/goevlib/ev/evvet"
)

func TestWrongCallsAreReportedAndNothingElse(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*")
	require.NoError(t, err)
	require.Len(t, inputs, 10)
	for i := range inputs {
		inputs[i] = "./evvet/" + filepath.ToSlash(inputs[i])
	}
	root, err := filepath.Abs("..") // it reads the go.work of the directory, and no other
	require.NoError(t, err)
	analysistest.Run(t, root, evvet.Analyzer, inputs...)
}

func TestTheAnalyzerIsWellFormed(t *testing.T) {
	require.NoError(t, analysis.Validate([]*analysis.Analyzer{evvet.Analyzer}))
}

// The tests use loops in many ways. The examples of the module are checked, too.
func TestNothingIsReportedInTheCoreAndItsTests(t *testing.T) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadAllSyntax, Dir: "..", Tests: true}, "./...")
	require.NoError(t, err)
	require.Greater(t, len(pkgs), 10)
	for _, p := range pkgs {
		require.Empty(t, p.Errors)
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{evvet.Analyzer}, pkgs, nil)
	require.NoError(t, err)
	for _, root := range graph.Roots {
		require.NoError(t, root.Err)
		for _, d := range root.Diagnostics {
			assert.Fail(t, fmt.Sprint(root.Package.Fset.Position(d.Pos), ": ", d.Message))
		}
	}
}
