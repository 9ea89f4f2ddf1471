// Package evvet finds calls of a loop's and its watchers' methods in goroutines
// that do not own the loop, before the program runs:
//
//	go func() { timer.Stop() }() // evvet: Timer.Stop belongs to the loop's goroutine
//
// It looks at go statements only, and reports what a reader could see in one
// place too: the method of a variable that the goroutine took from outside. What
// it cannot be sure about it leaves to EV_DEBUG=1 and the race detector: a goroutine
// that may be the loop's own, for it calls Run or hands the loop or its watcher to
// other code, and functions that are called later, such as those given to Post.
//
// One thing it cannot know: that a goroutine sets up a loop which nobody runs
// yet, or touches it under a lock that SetRelease lets go of.
package evvet

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

const evPath = "github.com/goevlib/ev"

// Analyzer is the check, for multichecker and the like. Command evvet runs it.
var Analyzer = &analysis.Analyzer{
	Name:     "evvet",
	Doc:      "report methods of ev's loops and watchers that are called in goroutines which do not own the loop",
	URL:      "https://pkg.go.dev/github.com/goevlib/ev/evvet",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	c := &checker{pass: pass, watcher: watcherOf(pass.Pkg)}
	if c.watcher == nil {
		return nil, nil // the package does not use ev
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	for n := range in.PreorderSeq((*ast.GoStmt)(nil)) {
		c.goroutine(n.(*ast.GoStmt))
	}
	return nil, nil
}

// watcherOf returns the interface ev.Watcher as pkg sees it, or nil.
func watcherOf(pkg *types.Package) *types.Interface {
	for _, p := range append(pkg.Imports(), pkg) {
		if p.Path() != evPath {
			continue
		}
		if o := p.Scope().Lookup("Watcher"); o != nil {
			i, _ := o.Type().Underlying().(*types.Interface)
			return i
		}
	}
	return nil
}

type checker struct {
	pass    *analysis.Pass
	watcher *types.Interface
}

// goroutine looks at one go statement. Its function begins where the goroutine
// does; what it is called on is captured by definition.
func (c *checker) goroutine(g *ast.GoStmt) {
	lit, ok := ast.Unparen(g.Call.Fun).(*ast.FuncLit)
	if !ok {
		c.report(g.Call)
		return
	}
	calls := callsIn(lit.Body)
	for _, call := range calls {
		if c.mayRun(call) {
			return
		}
	}
	for _, call := range calls {
		if root := c.root(receiver(call)); root != nil && (root.Pos() < lit.Pos() || root.Pos() >= lit.End()) {
			c.report(call)
		}
	}
}

// callsIn returns the calls that this goroutine makes in the body: not those of
// functions that it makes for later, or for another goroutine.
func callsIn(body ast.Node) (calls []*ast.CallExpr) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.GoStmt:
			return false // looked at by itself
		case *ast.CallExpr:
			calls = append(calls, n)
			if lit, ok := ast.Unparen(n.Fun).(*ast.FuncLit); ok { // also deferred
				calls = append(calls, callsIn(lit.Body)...)
			}
		}
		return true
	})
	return calls
}

// mayRun reports whether the call may be what makes this goroutine the loop's
// own: Run itself, or code that is not ev's and is given something by which it
// could call Run.
func (c *checker) mayRun(call *ast.CallExpr) bool {
	if c.ofLoop(call) {
		return strings.HasPrefix(c.callee(call).Name(), "Run")
	}
	if f := c.callee(call); f != nil && f.Pkg() != nil && f.Pkg().Path() == evPath {
		return false
	}
	for _, e := range append([]ast.Expr{receiver(call)}, call.Args...) {
		if e != nil && c.reachesLoop(c.pass.TypesInfo.TypeOf(e)) {
			return true
		}
	}
	// A function of the package or of a variable may have captured the loop.
	return c.opaque(call)
}

// opaque reports whether the code called is not known to be strangers' to ev: of
// this package, or a function value.
func (c *checker) opaque(call *ast.CallExpr) bool {
	if tv := c.pass.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return false
	}
	if _, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok {
		return false // its calls are looked at themselves
	}
	f := c.callee(call)
	return f == nil || f.Pkg() == c.pass.Pkg
}

func (c *checker) callee(call *ast.CallExpr) *types.Func {
	f, _ := typeutil.Callee(c.pass.TypesInfo, call).(*types.Func)
	return f
}

// receiver returns what a method is called on: x of x.m().
func receiver(call *ast.CallExpr) ast.Expr {
	if s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return s.X
	}
	return nil
}

// root returns the variable that an expression such as s.timers[i] begins with,
// or nil when it begins otherwise.
func (c *checker) root(e ast.Expr) *types.Var {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.Ident:
			v, _ := c.pass.TypesInfo.Uses[x].(*types.Var)
			return v
		default:
			return nil
		}
	}
}
