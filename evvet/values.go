package evvet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// value is what is assigned to a variable or a field.
type value struct {
	expr  ast.Expr // nil: not known
	index int      // of the results of a call
	elem  bool     // an element of expr
}

// single reports whether the value is that of the expression.
func (v value) single() bool { return v.index == 0 && !v.elem }

// findValues notes what the package assigns to each variable and field.
func (c *checker) findValues() {
	nodes := []ast.Node{(*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.RangeStmt)(nil),
		(*ast.CompositeLit)(nil), (*ast.UnaryExpr)(nil)}
	for n := range c.in.PreorderSeq(nodes...) {
		switch n := n.(type) {
		case *ast.AssignStmt:
			c.noteValues(n.Lhs, n.Rhs)
		case *ast.ValueSpec:
			names := make([]ast.Expr, len(n.Names))
			for i, name := range n.Names {
				names[i] = name
			}
			c.noteValues(names, n.Values)
		case *ast.RangeStmt:
			c.noteRange(n)
		case *ast.CompositeLit:
			c.noteFields(n)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				c.noteValue(n.X, value{}) // it may be assigned to through the pointer
			}
		}
	}
}

func (c *checker) noteValues(to, from []ast.Expr) {
	for i, e := range to {
		switch {
		case len(from) == len(to):
			c.noteValue(e, value{expr: from[i]})
		case len(from) == 1:
			c.noteValue(e, value{expr: from[0], index: i})
		}
	}
}

func (c *checker) noteRange(r *ast.RangeStmt) {
	_, isChan := c.pass.TypesInfo.TypeOf(r.X).Underlying().(*types.Chan)
	switch {
	case isChan && r.Key != nil:
		c.noteValue(r.Key, value{})
	case r.Key != nil && r.Value == nil:
		c.noteValue(r.Key, value{expr: r.X, elem: true}) // a map's key
	case r.Value != nil:
		c.noteValue(r.Key, value{expr: r.X, elem: true})
		c.noteValue(r.Value, value{expr: r.X, elem: true})
	}
}

func (c *checker) noteFields(lit *ast.CompositeLit) {
	s, ok := c.pass.TypesInfo.TypeOf(lit).Underlying().(*types.Struct)
	if !ok {
		return
	}
	for i, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			c.noteValue(kv.Key, value{expr: kv.Value})
		} else if i < s.NumFields() {
			c.values[s.Field(i).Origin()] = append(c.values[s.Field(i).Origin()], value{expr: e})
		}
	}
}

func (c *checker) noteValue(to ast.Expr, v value) {
	if o := c.variable(to); o != nil {
		c.values[o] = append(c.values[o], v)
	}
}

// variable returns the variable or the field that the expression is, or nil.
func (c *checker) variable(e ast.Expr) *types.Var {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if s, isSelector := ast.Unparen(e).(*ast.SelectorExpr); isSelector {
		id, ok = s.Sel, true
	}
	if !ok {
		return nil
	}
	v, _ := c.pass.TypesInfo.ObjectOf(id).(*types.Var)
	if v == nil {
		return nil
	}
	return v.Origin()
}
