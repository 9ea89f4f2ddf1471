package evvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/goevlib/ev/internal/advice"
)

// This file finds methods that are called on another goroutine than the loop's.

// place is a function that runs on another goroutine than the loop's, or may.
type place struct {
	*function
	bound   []*types.Var // its parameters and receiver whose values come from outside
	running []*types.Var // tasks and loops that run meanwhile on the loop's goroutine
	sure    bool         // nothing but a call of Run makes the goroutine the loop's own
}

// starter is a function that calls an argument on another goroutine.
type starter struct {
	index int  // of the argument
	sure  bool // nothing that the argument calls is likely to be Run
}

var starters = map[string]starter{
	evPath + ".Go":                                   {index: 1},
	evPath + ".Await":                                {index: 1},
	"(*sync.WaitGroup).Go":                           {},
	"(*golang.org/x/sync/errgroup.Group).Go":         {},
	"(*golang.org/x/sync/errgroup.Group).TryGo":      {},
	"(*github.com/sourcegraph/conc.WaitGroup).Go":    {},
	"(*golang.org/x/sync/singleflight.Group).DoChan": {index: 1, sure: true},
	"(*github.com/robfig/cron/v3.Cron).AddFunc":      {index: 1, sure: true},
	"(*net/http.Server).RegisterOnShutdown":          {sure: true},
	"time.AfterFunc":                                 {index: 1, sure: true},
	"context.AfterFunc":                              {index: 1, sure: true},
	"runtime.SetFinalizer":                           {index: 1, sure: true},
	"runtime.AddCleanup":                             {index: 1, sure: true},
}

// handlers has the types of a last parameter by which functions are known that a server calls on
// goroutines of its own.
var handlers = []string{
	"net/http.Request", "github.com/gin-gonic/gin.Context",
	"github.com/labstack/echo/v4.Context", "github.com/labstack/echo/v5.Context",
	"github.com/gofiber/fiber/v2.Ctx", "github.com/gofiber/fiber/v3.Ctx",
}

func (c *checker) checkGoroutines() {
	tasks := c.tasks()
	for n := range c.in.PreorderSeq((*ast.CallExpr)(nil)) {
		c.releases = c.releases || c.method(n.(*ast.CallExpr)) == "Loop.SetRelease"
	}
	for _, f := range c.order {
		if isHandler(f.sig) {
			c.checkPlace(&place{function: f, bound: []*types.Var{f.recv}, sure: true}, tasks)
		}
	}
	for n := range c.in.PreorderSeq((*ast.GoStmt)(nil), (*ast.CallExpr)(nil)) {
		switch n := n.(type) {
		case *ast.GoStmt:
			if p := c.started(n.Call); p != nil {
				c.checkPlace(p, tasks)
			} else if what := c.mustBeOwned(n.Call.Fun); what != "" {
				c.reportOwned(n.Call.Pos(), what)
			}
		case *ast.CallExpr:
			c.checkStarter(n, tasks)
		}
	}
}

// tasks returns the parameters of functions with the type func(*ev.Task) error: while such a
// function runs, that task runs, and its loop with it.
func (c *checker) tasks() (tasks []*types.Var) {
	for _, f := range c.order {
		if isTask(f.sig) && f.params[0] != nil {
			tasks = append(tasks, f.params[0])
		}
	}
	return tasks
}

func isTask(sig *types.Signature) bool {
	if sig.Params().Len() != 1 || sig.Results().Len() != 1 {
		return false
	}
	n := named(sig.Params().At(0).Type())
	return n != nil && isOurs(n, "Task") && sig.Results().At(0).Type().String() == "error"
}

func isHandler(sig *types.Signature) bool {
	n := sig.Params().Len()
	if n == 0 {
		return false
	}
	last := named(sig.Params().At(n - 1).Type())
	if last == nil || last.Obj().Pkg() == nil {
		return false
	}
	name := last.Obj().Pkg().Path() + "." + last.Obj().Name()
	if name == "net/http.Request" {
		return n == 2 && sig.Params().At(0).Type().String() == "net/http.ResponseWriter"
	}
	return n == 1 && slices.Contains(handlers, name)
}

// started returns the function that a go statement calls, or nil if it is not of this package.
func (c *checker) started(call *ast.CallExpr) *place {
	f := c.resolve(call.Fun)
	if f == nil {
		return nil
	}
	p := &place{function: f}
	for _, v := range append([]*types.Var{f.recv}, f.params...) {
		if v == nil {
			continue
		}
		if arg := f.argument(call, v); arg != nil && c.exists(arg) {
			p.bound = append(p.bound, v)
		}
	}
	return p
}

// exists reports whether the value of an argument existed before the call: it is not made for it.
func (c *checker) exists(e ast.Expr) bool {
	switch x := ast.Unparen(e).(type) {
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr:
		return true
	case *ast.UnaryExpr:
		return c.exists(x.X)
	case *ast.StarExpr:
		return c.exists(x.X)
	case *ast.CallExpr:
		return c.madeFrom(x) != nil
	}
	return false
}

// checkStarter checks a call of a function that calls an argument on another goroutine.
func (c *checker) checkStarter(call *ast.CallExpr, tasks []*types.Var) {
	f := c.callee(call)
	if f == nil {
		return
	}
	s, ok := starters[f.FullName()]
	if !ok || s.index >= len(call.Args) {
		return
	}
	arg := call.Args[s.index]
	if what := c.mustBeOwned(arg); what != "" {
		c.reportOwned(arg.Pos(), what)
		return
	}
	work := c.resolve(arg)
	if work == nil {
		return
	}
	p := &place{function: work, bound: []*types.Var{work.recv}, sure: s.sure}
	if f.Pkg().Path() == evPath {
		if v := c.variable(call.Args[0]); v != nil {
			p.running = []*types.Var{v}
		}
	}
	c.checkPlace(p, tasks)
}

// checkPlace reports the calls in a function that belong to a loop from outside of it.
func (c *checker) checkPlace(p *place, tasks []*types.Var) {
	own := c.runsLoop(p.function, p.sure) || c.locksReleased(p.function)
	calls := make(map[token.Pos]bool)
	for _, t := range c.touches(p.function) {
		if t.via != "" && calls[t.pos] {
			continue // one finding is enough for a call
		}
		if p.contains(t.v) && !slices.Contains(p.bound, t.v) {
			continue
		}
		if own && !slices.Contains(p.running, t.v) && !slices.Contains(tasks, t.v) {
			continue
		}
		if t.via == "" {
			c.reportOwned(t.pos, t.what)
		} else {
			calls[t.pos] = true
			c.report(t.pos, "goroutine", advice.OtherGoroutine,
				"%s calls %s, which must be called on the loop's goroutine, and this is another", t.via, t.what)
		}
	}
}

func (c *checker) reportOwned(pos token.Pos, what string) {
	c.report(pos, "goroutine", advice.OtherGoroutine, "%s must be called on the loop's goroutine, and this is another", what)
}

// touch is a call, in a function, that must be made on the goroutine of a loop.
type touch struct {
	pos  token.Pos
	what string     // the method or function of package ev
	via  string     // the function of this package that calls it; "" for the function itself
	v    *types.Var // from which the loop or watcher comes: see sources
}

// touches returns the calls that f makes, itself or by functions of the package, and that must be
// made on the loop's goroutine.
func (c *checker) touches(f *function) []touch {
	if f.state.touched != unknown {
		return f.touched
	}
	f.state.touched = computing
	for _, call := range c.calls(f.body) {
		if what := c.mustBeOwned(call.Fun); what != "" {
			for _, v := range c.sources(c.subject(call), f) {
				f.touched = append(f.touched, touch{pos: call.Pos(), what: what, v: v})
			}
			continue
		}
		if g := c.resolve(call.Fun); g != nil && !isInline(call) {
			f.touched = append(f.touched, c.touchesBy(f, g, call)...)
		}
	}
	f.state.touched = yes
	return f.touched
}

// isInline reports whether the call is of a literal, whose calls are those of the function itself.
func isInline(call *ast.CallExpr) bool {
	_, ok := ast.Unparen(call.Fun).(*ast.FuncLit)
	return ok
}

// touchesBy returns the touches of g as those of f, which calls it.
func (c *checker) touchesBy(f, g *function, call *ast.CallExpr) (touches []touch) {
	for _, t := range c.touches(g) {
		var from []*types.Var
		if arg := g.argument(call, t.v); arg != nil {
			from = c.sources(arg, f)
		} else if !g.contains(t.v) { // captured, or a variable of the package
			from = c.sourcesOfVariable(t.v, f)
		}
		via := types.ExprString(call.Fun)
		for _, v := range from {
			touches = append(touches, touch{pos: call.Pos(), what: t.what, via: via, v: v})
		}
	}
	return touches
}

// subject returns the expression whose loop the call uses: the receiver of a method, or the first
// argument of a function of package ev that must be called on the loop's goroutine.
func (c *checker) subject(call *ast.CallExpr) ast.Expr {
	if owned[c.function(call)] && len(call.Args) > 0 {
		return call.Args[0]
	}
	return receiver(call)
}

// locksReleased reports whether f locks a mutex in a package that calls SetRelease. Such a mutex
// keeps the loop from running.
func (c *checker) locksReleased(f *function) bool {
	return c.releases && slices.ContainsFunc(c.calls(f.body), func(call *ast.CallExpr) bool {
		_, locks := c.mutex(call)
		return locks
	})
}

// runsLoop reports whether f may make its goroutine a loop's own, because it calls Run. With sure,
// a call that is not known does not count.
func (c *checker) runsLoop(f *function, sure bool) bool {
	if sure {
		return c.callsRun(f, make(map[*function]bool), true)
	}
	if f.state.runs == unknown {
		f.state.runs = no
		if c.callsRun(f, make(map[*function]bool), false) {
			f.state.runs = yes
		}
	}
	return f.state.runs == yes
}

func (c *checker) callsRun(f *function, seen map[*function]bool, sure bool) bool {
	if seen[f] {
		return false
	}
	seen[f] = true
	return slices.ContainsFunc(c.calls(f.body), func(call *ast.CallExpr) bool {
		return c.mayRun(call, seen, sure)
	})
}

// mayRun reports whether the call is Run, or is of code that may call it: of a function value that
// is not known, or of another package that gets a loop or a function.
func (c *checker) mayRun(call *ast.CallExpr, seen map[*function]bool, sure bool) bool {
	if tv := c.pass.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() || isInline(call) {
		return false
	}
	if method := c.method(call); method != "" {
		return strings.HasPrefix(method, "Loop.Run")
	}
	if g := c.resolve(call.Fun); g != nil {
		return c.callsRun(g, seen, sure)
	}
	f := c.callee(call)
	if f == nil || f.Pkg() == nil || f.Pkg() == c.pass.Pkg {
		return !sure && !isError(f)
	}
	if f.Pkg().Path() == evPath || strings.HasPrefix(f.Pkg().Path(), evPath+"/ev") {
		return false
	}
	args := call.Args
	if x := receiver(call); x != nil && f.Signature().Recv() != nil {
		args = append([]ast.Expr{x}, args...)
	}
	return slices.ContainsFunc(args, func(arg ast.Expr) bool { return c.mayRunBy(arg, c.isStandard(f.Pkg()), seen, sure) })
}

// isError reports whether the function is the Error method of a type error.
func isError(f *types.Func) bool { return f != nil && f.Pkg() == nil }

// mayRunBy reports whether code of another package may call Run by the argument.
func (c *checker) mayRunBy(arg ast.Expr, standard bool, seen map[*function]bool, sure bool) bool {
	t := c.pass.TypesInfo.TypeOf(arg)
	if t == nil {
		return false
	}
	if _, ok := t.Underlying().(*types.Signature); ok {
		if g := c.resolve(arg); g != nil {
			return c.callsRun(g, seen, sure)
		}
		return !sure
	}
	return !sure && !standard && c.reachesLoop(t)
}

// isStandard reports whether the package is of the standard library, as far as its path tells.
func (c *checker) isStandard(p *types.Package) bool {
	first, _, _ := strings.Cut(p.Path(), "/")
	own, _, _ := strings.Cut(c.pass.Pkg.Path(), "/")
	return first != own && !strings.Contains(first, ".")
}
