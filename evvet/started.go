package evvet

import (
	"go/ast"
	"go/types"
	"slices"

	"github.com/goevlib/ev/internal/advice"
)

// idle has the methods that are of no use without a Start, Reset, Arm, Feed or Invoke.
var idle = []string{
	"Active", "Clear", "Data", "Events", "Flush", "Keep", "Loop", "Name", "Pending", "Priority", "Send", "SendWait",
	"Sent", "Set", "SetCallback", "SetData", "SetPriority", "SetRepeat", "Stop",
}

// checkStarted reports watchers that are never started: the result of the constructor is dropped,
// or is in a variable or a field of which only methods in idle are called.
func (c *checker) checkStarted() {
	for n := range c.in.PreorderSeq((*ast.ExprStmt)(nil), (*ast.AssignStmt)(nil)) {
		switch n := n.(type) {
		case *ast.ExprStmt:
			c.checkDropped(n.X)
		case *ast.AssignStmt:
			if len(n.Lhs) == 1 && len(n.Rhs) == 1 && isBlank(n.Lhs[0]) {
				c.checkDropped(n.Rhs[0])
			}
		}
	}
	uses := c.uses()
	for v := range c.values {
		calls := c.made(v)
		starts := slices.ContainsFunc(uses[v], func(u use) bool { return !slices.Contains(idle, u.method) })
		if starts {
			continue
		}
		for _, call := range calls {
			c.reportUnstarted(call)
		}
	}
}

func (c *checker) checkDropped(e ast.Expr) {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		if c.makes(call) {
			c.reportUnstarted(call)
		}
	}
}

// makes reports whether the call is of a constructor, or of a function of the package that only
// returns what constructors return.
func (c *checker) makes(call *ast.CallExpr) bool {
	if _, ok := c.constructor(call); ok {
		return true
	}
	g := c.resolve(call.Fun)
	if g == nil || isInline(call) || len(g.body.List) != 1 {
		return false
	}
	r, ok := g.body.List[0].(*ast.ReturnStmt)
	if !ok || len(r.Results) != 1 {
		return false
	}
	made, ok := ast.Unparen(r.Results[0]).(*ast.CallExpr)
	if !ok {
		return false
	}
	_, ok = c.constructor(made)
	return ok
}

func (c *checker) reportUnstarted(call *ast.CallExpr) {
	t := c.pass.TypesInfo.TypeOf(call)
	if t == nil || c.inTest(call.Pos()) {
		return
	}
	start, _, _ := types.LookupFieldOrMethod(t, true, c.pass.Pkg, "Start")
	if _, ok := start.(*types.Func); !ok {
		return // a Cond, or what is started by itself
	}
	c.report(call.Pos(), "unstarted", advice.NeverStarted, "this %s is never started", named(t).Obj().Name())
}
