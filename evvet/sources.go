package evvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// tracer finds the variables from which a value in f may come. An assignment whose value is not
// known, or is made in f, adds none.
type tracer struct {
	*checker
	f    *function
	seen map[*types.Var]bool
}

// sources returns the variables from which the value of an expression in f may come: parameters of
// f, and variables that are declared outside of it.
func (c *checker) sources(e ast.Expr, f *function) []*types.Var {
	return c.sourcesOf(e, 0, f)
}

// sourcesOf is sources, of one of the results if the expression is a call.
func (c *checker) sourcesOf(e ast.Expr, index int, f *function) []*types.Var {
	t := &tracer{c, f, make(map[*types.Var]bool)}
	return t.trace(e, index)
}

// sourcesOfVariable is sources of a variable.
func (c *checker) sourcesOfVariable(v *types.Var, f *function) []*types.Var {
	t := &tracer{c, f, make(map[*types.Var]bool)}
	return t.variable(v)
}

func (t *tracer) trace(e ast.Expr, index int) []*types.Var {
	switch x := ast.Unparen(e).(type) {
	case *ast.SelectorExpr:
		if v, ok := t.pass.TypesInfo.Uses[x.Sel].(*types.Var); ok && !v.IsField() {
			return []*types.Var{v} // of another package
		}
		if made := t.field(x); made != nil {
			return t.trace(made, 0)
		}
		return t.trace(x.X, 0)
	case *ast.IndexExpr:
		return t.trace(x.X, 0)
	case *ast.SliceExpr:
		return t.trace(x.X, 0)
	case *ast.StarExpr:
		return t.trace(x.X, 0)
	case *ast.TypeAssertExpr:
		return t.trace(x.X, 0)
	case *ast.UnaryExpr:
		if x.Op == token.AND {
			return t.trace(x.X, 0)
		}
	case *ast.CallExpr:
		return t.call(x, index)
	case *ast.Ident:
		if v, ok := t.pass.TypesInfo.ObjectOf(x).(*types.Var); ok {
			return t.variable(v)
		}
	}
	return nil
}

func (t *tracer) variable(v *types.Var) (from []*types.Var) {
	if !t.f.contains(v) || t.f.isParam(v) {
		return []*types.Var{v}
	}
	if t.seen[v] {
		return nil
	}
	t.seen[v] = true
	for _, value := range t.values[v] {
		if value.expr != nil {
			from = append(from, t.trace(value.expr, value.index)...)
		}
	}
	return from
}

// field returns the value of the field of a struct that is made in f, as its composite literal has
// it, or nil.
func (t *tracer) field(x *ast.SelectorExpr) ast.Expr {
	v := t.checker.variable(x.X)
	if v == nil || !t.f.contains(v) || len(t.values[v]) != 1 || !t.values[v][0].single() {
		return nil
	}
	e := ast.Unparen(t.values[v][0].expr)
	if address, ok := e.(*ast.UnaryExpr); ok && address.Op == token.AND {
		e = ast.Unparen(address.X)
	}
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	for _, elt := range lit.Elts {
		if kv, ok := elt.(*ast.KeyValueExpr); ok && types.ExprString(kv.Key) == x.Sel.Name {
			return kv.Value
		}
	}
	return nil
}

// call traces a result of a call: back to the loop for which it is made, or into a function of the
// package and back to what it gets.
func (t *tracer) call(call *ast.CallExpr, index int) (from []*types.Var) {
	if e := t.madeFrom(call); e != nil {
		return t.trace(e, 0)
	}
	g := t.resolve(call.Fun)
	if g == nil {
		return nil
	}
	for _, v := range t.returns(g, index) {
		if arg := g.argument(call, v); arg != nil {
			from = append(from, t.trace(arg, 0)...)
		} else if !g.contains(v) {
			from = append(from, t.variable(v)...)
		}
	}
	return from
}

// madeFrom returns the expression whose loop the result of a call belongs to, or nil.
func (c *checker) madeFrom(call *ast.CallExpr) ast.Expr {
	if _, ok := c.constructor(call); ok || owned[c.function(call)] {
		if len(call.Args) > 0 {
			return call.Args[0]
		}
		return nil
	}
	if f := c.callee(call); f != nil && f.Pkg() != nil && receiver(call) != nil {
		path := f.Pkg().Path()
		switch {
		case path == evPath && slices.Contains([]string{"Loop", "Task", "Other", "Go"}, f.Name()),
			(path == "sync" || path == "sync/atomic") && f.Name() == "Load":
			return receiver(call)
		}
	}
	if len(call.Args) == 1 && c.pass.TypesInfo.Types[call.Fun].IsType() {
		return call.Args[0]
	}
	return nil
}

// result is one of the results of a function.
type result struct {
	*function
	index int
}

// returns returns the sources of a result of a function of the package. A recursive function adds
// nothing to itself.
func (c *checker) returns(g *function, index int) []*types.Var {
	if from, known := c.results[result{g, index}]; known {
		return from
	}
	c.results[result{g, index}] = nil
	var from []*types.Var
	ast.Inspect(g.body, func(n ast.Node) bool {
		r, ok := n.(*ast.ReturnStmt)
		if !ok {
			_, isLiteral := n.(*ast.FuncLit)
			return !isLiteral
		}
		switch n := g.sig.Results().Len(); {
		case index >= n:
		case len(r.Results) == n:
			from = append(from, c.sources(r.Results[index], g)...)
		case len(r.Results) == 1:
			from = append(from, c.sourcesOf(r.Results[0], index, g)...)
		default:
			from = append(from, c.sourcesOfVariable(g.sig.Results().At(index), g)...)
		}
		return true
	})
	c.results[result{g, index}] = from
	return from
}
