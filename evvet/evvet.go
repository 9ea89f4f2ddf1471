// Package evvet is an analyzer that finds methods of loops and watchers that are called on a
// goroutine other than the loop's:
//
//	go func() { timer.Stop() }() // evvet: Timer.Stop must be called on the loop's goroutine
//
// It looks at go statements, and at function literals given to ev.Await and ev.Go as work. It
// reports calls of methods, of watchers, loops, conditions, mailboxes and groups, on variables that
// come from outside the goroutine's function, and of Spawn, Await and Go for such a task or loop.
// It does not report, and leaves to EV_DEBUG=1 and the race detector:
//
//   - a goroutine that may be the loop's own, because it calls Run or gives the loop or a watcher
//     to other code, except for calls on the task in whose function it begins;
//   - functions that are called later, such as those given to Post.
//
// It reports two correct programs by mistake: one in which a goroutine sets up a loop that is not
// in Run yet, and one in which a goroutine holds a lock that SetRelease unlocks.
package evvet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/types/typeutil"
)

const evPath = "github.com/goevlib/ev"

// Analyzer is the analyzer, for drivers such as multichecker. Command evvet runs it.
var Analyzer = &analysis.Analyzer{
	Name:     "evvet",
	Doc:      "report methods of ev's loops and watchers that are called on a goroutine other than the loop's",
	URL:      "https://pkg.go.dev/github.com/goevlib/ev/evvet",
	Requires: []*analysis.Analyzer{inspect.Analyzer},
	Run:      run,
}

func run(pass *analysis.Pass) (any, error) {
	c := &checker{pass: pass, watcher: watcherOf(pass.Pkg), tasks: make(map[*types.Var]bool)}
	if c.watcher == nil {
		return nil, nil // the package does not use ev
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	for n := range in.PreorderSeq((*ast.FuncType)(nil)) {
		c.noteTask(n.(*ast.FuncType))
	}
	for n := range in.PreorderSeq((*ast.GoStmt)(nil), (*ast.CallExpr)(nil)) {
		switch n := n.(type) {
		case *ast.GoStmt:
			c.goroutine(n)
		case *ast.CallExpr:
			c.work(n)
		}
	}
	return nil, nil
}

// noteTask notes the parameter of a function with the type func(*ev.Task) error: inside, that task
// runs, and its loop with it.
func (c *checker) noteTask(f *ast.FuncType) {
	if f.Params.NumFields() != 1 || f.Results.NumFields() != 1 || len(f.Params.List[0].Names) != 1 {
		return
	}
	param := f.Params.List[0]
	if n := named(c.pass.TypesInfo.TypeOf(param.Type)); n == nil || !isOurs(n, "Task") {
		return
	}
	if v, ok := c.pass.TypesInfo.Defs[param.Names[0]].(*types.Var); ok {
		c.tasks[v] = true
	}
}

// watcherOf returns the interface ev.Watcher as pkg imports it, or nil.
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
	tasks   map[*types.Var]bool // that run when the functions run to which they are given
}

// goroutine checks one go statement. For a function literal, it checks the calls on variables from
// outside the literal. For any other call, the receiver comes from outside by definition.
func (c *checker) goroutine(g *ast.GoStmt) {
	lit, ok := ast.Unparen(g.Call.Fun).(*ast.FuncLit)
	if !ok {
		c.report(g.Call)
		return
	}
	c.literal(lit, nil)
}

// work checks the call if it is of ev.Await or ev.Go. Both call their second argument on another
// goroutine, while the loop runs.
func (c *checker) work(call *ast.CallExpr) {
	if name := c.function(call); name != "Await" && name != "Go" || len(call.Args) < 2 {
		return
	}
	if lit, ok := ast.Unparen(call.Args[1]).(*ast.FuncLit); ok {
		c.literal(lit, c.root(call.Args[0]))
	}
}

// literal checks a function literal that a goroutine of its own calls. running is a task or a loop
// that runs meanwhile on another goroutine; nil if none is known.
func (c *checker) literal(lit *ast.FuncLit, running *types.Var) {
	calls := callsIn(lit.Body)
	own := slices.ContainsFunc(calls, c.mayRun)
	for _, call := range calls {
		root := c.root(c.subject(call))
		if root == nil || root.Pos() >= lit.Pos() && root.Pos() < lit.End() {
			continue
		}
		if !own || root == running || c.tasks[root] {
			c.report(call)
		}
	}
}

// subject returns the expression whose loop the call uses: the receiver of a method, or the first
// argument of a function of package ev that must be called on the loop's goroutine.
func (c *checker) subject(call *ast.CallExpr) ast.Expr {
	if owned[c.function(call)] && len(call.Args) > 0 {
		return call.Args[0]
	}
	return receiver(call)
}

// callsIn returns the calls that the goroutine makes in the body. It leaves out functions that are
// called later or on another goroutine.
func callsIn(body ast.Node) (calls []*ast.CallExpr) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.GoStmt:
			return false // run checks it by itself
		case *ast.CallExpr:
			calls = append(calls, n)
			if lit, ok := ast.Unparen(n.Fun).(*ast.FuncLit); ok { // called here, or deferred
				calls = append(calls, callsIn(lit.Body)...)
			}
		}
		return true
	})
	return calls
}

// mayRun reports whether the call may make this goroutine the loop's own: it is Run, or
// code outside package ev that gets a value by which it could call Run.
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
	// A function of this package, or in a variable, may have captured the loop.
	return c.opaque(call)
}

// opaque reports whether the called code may use the loop without getting it as an argument: it is
// a function of this package, or a function value.
func (c *checker) opaque(call *ast.CallExpr) bool {
	if tv := c.pass.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return false
	}
	if _, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok {
		return false // callsIn has its calls
	}
	f := c.callee(call)
	return f == nil || f.Pkg() == c.pass.Pkg
}

func (c *checker) callee(call *ast.CallExpr) *types.Func {
	f, _ := typeutil.Callee(c.pass.TypesInfo, call).(*types.Func)
	return f
}

// receiver returns the receiver of a method call, x in x.m(), or nil.
func receiver(call *ast.CallExpr) ast.Expr {
	if s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return s.X
	}
	return nil
}

// root returns the variable at the beginning of an expression such as s.timers[i], or nil if there
// is none.
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
