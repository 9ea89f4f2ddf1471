package evvet

import (
	"go/ast"
	"strings"

	"github.com/goevlib/ev/internal/advice"
)

// checkStartErrors reports errors of Start that are dropped: the call is a statement.
func (c *checker) checkStartErrors() {
	for n := range c.in.PreorderSeq((*ast.ExprStmt)(nil), (*ast.DeferStmt)(nil), (*ast.GoStmt)(nil)) {
		var call *ast.CallExpr
		switch n := n.(type) {
		case *ast.ExprStmt:
			call, _ = ast.Unparen(n.X).(*ast.CallExpr)
		case *ast.DeferStmt:
			call = n.Call
		case *ast.GoStmt:
			call = n.Call
		}
		if call == nil {
			continue
		}
		method := c.method(call)
		if strings.HasSuffix(method, ".Start") && c.callee(call).Signature().Results().Len() > 0 {
			c.report(call.Pos(), "starterror", advice.StartFailed,
				"the error of %s is dropped, and the watcher is not active if there is one", method)
		}
	}
}
