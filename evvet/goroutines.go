package evvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"github.com/goevlib/ev/internal/advice"
)

// This file finds methods that are called on another goroutine than the loop's.

func (c *checker) checkGoroutines() {
	tasks := c.tasks()
	for n := range c.in.PreorderSeq((*ast.CallExpr)(nil)) {
		c.releases = c.releases || c.method(n.(*ast.CallExpr)) == "Loop.SetRelease"
	}
	for _, p := range c.handled() {
		c.checkPlace(p, tasks)
	}
	for n := range c.in.PreorderSeq((*ast.GoStmt)(nil), (*ast.CallExpr)(nil)) {
		switch n := n.(type) {
		case *ast.GoStmt:
			if p := c.started(n.Call); p != nil {
				c.checkPlace(p, tasks)
			} else if what := c.mustBeOwned(n.Call.Fun); what != "" {
				c.reportOwned(n.Call.Pos(), what, "this is another")
			}
		case *ast.CallExpr:
			p, arg, why := c.starter(n)
			if p != nil {
				c.checkPlace(p, tasks)
			} else if arg != nil && c.mustBeOwned(arg) != "" {
				c.reportOwned(arg.Pos(), c.mustBeOwned(arg), why)
			}
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
			c.reportOwned(t.pos, t.what, p.why)
		} else {
			calls[t.pos] = true
			c.report(t.pos, "goroutine", advice.OtherGoroutine,
				"%s calls %s (%s), which must be called on the loop's goroutine, and %s", t.via, t.what, c.line(t.at), p.why)
		}
	}
}

func (c *checker) reportOwned(pos token.Pos, what, why string) {
	c.report(pos, "goroutine", advice.OtherGoroutine, "%s must be called on the loop's goroutine, and %s", what, why)
}

// touch is a call, in a function, that must be made on the goroutine of a loop.
type touch struct {
	pos  token.Pos
	at   token.Pos  // of the call of package ev, which another function may make
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
			for _, v := range append(c.sources(c.subject(call), f), c.promoted(call.Fun, f)...) {
				f.touched = append(f.touched, touch{pos: call.Pos(), at: call.Pos(), what: what, v: v})
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
			touches = append(touches, touch{pos: call.Pos(), at: t.at, what: t.what, via: via, v: v})
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
