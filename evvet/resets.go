package evvet

import (
	"go/ast"
	"go/constant"

	"github.com/goevlib/ev/internal/advice"
)

// checkResets reports calls of Reset on timers that are one-shots for all their life.
func (c *checker) checkResets() {
	uses := c.uses()
	for v := range c.values {
		calls := c.made(v)
		all := len(calls) > 0
		for _, call := range calls {
			all = all && c.oneShot(call)
		}
		if all {
			c.reportResets(uses[v])
		}
	}
	for n := range c.in.PreorderSeq((*ast.CallExpr)(nil)) {
		call := n.(*ast.CallExpr)
		if !c.oneShot(call) {
			continue
		}
		if f := c.resolve(call.Args[3]); f != nil && len(f.params) == 1 && f.params[0] != nil && c.isLiteral(f) {
			c.reportResets(uses[f.params[0]])
		}
	}
}

func (c *checker) isLiteral(f *function) bool {
	_, ok := f.node.(*ast.FuncLit)
	return ok
}

// oneShot reports whether the call makes a Timer that does not repeat.
func (c *checker) oneShot(call *ast.CallExpr) bool {
	if name, ok := c.constructor(call); !ok || name != "NewTimer" || len(call.Args) < 4 {
		return false
	}
	repeat := c.pass.TypesInfo.Types[call.Args[2]].Value
	return repeat != nil && constant.Sign(repeat) == 0
}

// reportResets reports the calls of Reset among all uses of a one-shot, if nothing gives it a
// repeat.
func (c *checker) reportResets(uses []use) {
	for _, u := range uses {
		if u.method == "" || u.method == "Set" || u.method == "SetRepeat" {
			return
		}
	}
	for _, u := range uses {
		if u.method == "Reset" && u.call != nil && !c.inTest(u.call.Pos()) {
			c.report(u.call.Pos(), "reset", advice.OneShotReset, "Reset stops a Timer that does not repeat")
		}
	}
}
