// Package gclplugin makes evvet a linter of golangci-lint, by its module plugin system
// (https://golangci-lint.run/docs/plugins/module-plugins). These files build a golangci-lint that
// has evvet:
//
//	# .custom-gcl.yml
//	version: v2.15.0
//	plugins:
//	  - module: github.com/goevlib/ev/evvet
//	    import: github.com/goevlib/ev/evvet/gclplugin
//	    version: v0.1.0
//
//	# .golangci.yml
//	version: "2"
//	linters:
//	  enable:
//	    - evvet
//	  settings:
//	    custom:
//	      evvet:
//	        type: module
//	        description: mistakes in the use of package ev
//	        original-url: github.com/goevlib/ev/evvet
//
// Build it with golangci-lint custom, and run ./custom-gcl run.
package gclplugin

import (
	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/goevlib/ev/evvet"
)

func init() { register.Plugin("evvet", New) }

// New returns the plugin. It has no settings.
func New(any) (register.LinterPlugin, error) { return plugin{}, nil }

type plugin struct{}

func (plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
	return []*analysis.Analyzer{evvet.Analyzer}, nil
}

func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
