package evvet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// use is a use of a variable or a field.
type use struct {
	method string        // that is called, or taken as a value; "" if the use is not known
	call   *ast.CallExpr // of the method, or nil
}

// uses returns the uses of all variables and fields. It leaves out assignments to them,
// comparisons with nil, and assignments to _.
func (c *checker) uses() map[*types.Var][]use {
	uses := make(map[*types.Var][]use)
	for cur := range c.in.Root().Preorder((*ast.Ident)(nil)) {
		v, ok := c.pass.TypesInfo.Uses[cur.Node().(*ast.Ident)].(*types.Var)
		if !ok {
			continue
		}
		if u, ok := c.useAt(cur); ok {
			uses[v.Origin()] = append(uses[v.Origin()], u)
		}
	}
	return uses
}

func (c *checker) useAt(cur inspector.Cursor) (use, bool) {
	if cur.ParentEdgeKind() == edge.SelectorExpr_Sel {
		cur = cur.Parent()
	}
	for cur.ParentEdgeKind() == edge.ParenExpr_X {
		cur = cur.Parent()
	}
	parent := cur.Parent()
	switch cur.ParentEdgeKind() {
	case edge.AssignStmt_Lhs, edge.KeyValueExpr_Key:
		return use{}, false
	case edge.AssignStmt_Rhs:
		to := parent.Node().(*ast.AssignStmt).Lhs
		return use{}, len(to) != 1 || !isBlank(to[0])
	case edge.BinaryExpr_X:
		return use{}, !c.isNil(parent.Node().(*ast.BinaryExpr).Y)
	case edge.BinaryExpr_Y:
		return use{}, !c.isNil(parent.Node().(*ast.BinaryExpr).X)
	case edge.SelectorExpr_X:
		u := use{method: parent.Node().(*ast.SelectorExpr).Sel.Name}
		if parent.ParentEdgeKind() == edge.CallExpr_Fun {
			u.call = parent.Parent().Node().(*ast.CallExpr)
		}
		return u, true
	}
	return use{}, true
}

func (c *checker) isNil(e ast.Expr) bool { return c.pass.TypesInfo.Types[e].IsNil() }

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// made returns the constructor calls whose results the variable has, or nil if it may have any
// other value or if code that is not seen here may use it.
func (c *checker) made(v *types.Var) (calls []*ast.CallExpr) {
	if v.Pkg() != c.pass.Pkg || v.Embedded() || v.Exported() && v.Pkg().Name() != "main" {
		return nil
	}
	for _, value := range c.values[v] {
		if value.expr == nil || !value.single() {
			return nil
		}
		if c.isNil(value.expr) {
			continue
		}
		call, ok := ast.Unparen(value.expr).(*ast.CallExpr)
		if !ok {
			return nil
		}
		if !c.makes(call) {
			return nil
		}
		calls = append(calls, call)
	}
	return calls
}
