package evvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
)

// Analyzer is the analyzer, for drivers such as multichecker. Command evvet runs it.
var Analyzer = &analysis.Analyzer{
	Name:     "evvet",
	Doc:      "report mistakes in the use of package ev: wrong goroutines, blocked loops, watchers that are not started",
	URL:      "https://pkg.go.dev/github.com/goevlib/ev/evvet",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	watcher := watcherOf(pass.Pkg)
	if watcher == nil {
		return nil, nil // the package does not use ev
	}
	c := &checker{
		pass:      pass,
		in:        pass.ResultOf[inspect.Analyzer].(*inspector.Inspector),
		watcher:   watcher,
		functions: make(map[ast.Node]*function),
		declared:  make(map[*types.Func]*function),
		values:    make(map[*types.Var][]value),
		results:   make(map[result][]*types.Var),
		reported:  make(map[finding]bool),
	}
	c.findFunctions()
	c.findValues()
	c.findIgnored()

	c.checkGoroutines()
	c.checkBlocking()
	c.checkStartErrors()
	c.checkStarted()
	c.checkBatches()
	c.checkLocks()
	c.checkResets()
	return nil, nil
}

// checker has what the checks share. Each check is a file.
type checker struct {
	pass      *analysis.Pass
	in        *inspector.Inspector
	watcher   *types.Interface // ev.Watcher
	functions map[ast.Node]*function
	order     []*function
	declared  map[*types.Func]*function
	values    map[*types.Var][]value
	ignored   map[string]map[int]bool // lines of files
	results   map[result][]*types.Var // by returns
	reported  map[finding]bool
	releases  bool // the package calls SetRelease
}

type finding struct {
	pos   token.Pos
	check string
}

// report reports a mistake, the first that a check finds at a position. advice says what to do
// instead.
func (c *checker) report(pos token.Pos, check, advice, format string, args ...any) {
	f, at := finding{pos, check}, c.pass.Fset.Position(pos)
	if c.reported[f] || c.ignored[at.Filename][at.Line] {
		return
	}
	c.reported[f] = true
	c.pass.Report(analysis.Diagnostic{Pos: pos, Category: check, Message: fmt.Sprintf(format, args...) + ": " + advice})
}

// findIgnored notes the lines with a comment //evvet:ignore, and the lines after them.
func (c *checker) findIgnored() {
	c.ignored = make(map[string]map[int]bool)
	for _, file := range c.pass.Files {
		for _, group := range file.Comments {
			for _, comment := range group.List {
				if !strings.HasPrefix(comment.Text, "//evvet:ignore ") {
					continue
				}
				at := c.pass.Fset.Position(comment.Pos())
				if c.ignored[at.Filename] == nil {
					c.ignored[at.Filename] = make(map[int]bool)
				}
				c.ignored[at.Filename][at.Line] = true
				c.ignored[at.Filename][at.Line+1] = true
			}
		}
	}
}

// inTest reports whether the position is in a file of tests.
func (c *checker) inTest(pos token.Pos) bool {
	return strings.HasSuffix(c.pass.Fset.Position(pos).Filename, "_test.go")
}
