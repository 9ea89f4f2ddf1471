package evvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
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
		if field, ok := t.pass.TypesInfo.Uses[x.Sel].(*types.Var); ok {
			if from := t.field(x.X, field); from != nil {
				return from
			}
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

// field returns the sources of a field of a struct that is made in f: of what f assigns to it.
func (t *tracer) field(x ast.Expr, field *types.Var) (from []*types.Var) {
	v := t.checker.variable(x)
	if v == nil || !t.f.contains(v) || len(t.values[v]) != 1 || !isComposite(t.values[v][0].expr) {
		return nil
	}
	for _, value := range t.values[field.Origin()] {
		if e := value.expr; e != nil && e.Pos() >= t.f.node.Pos() && e.Pos() < t.f.node.End() {
			from = append(from, t.trace(e, value.index)...)
		}
	}
	return from
}

// isComposite reports whether the expression is a composite literal or the address of one.
func isComposite(e ast.Expr) bool {
	if address, ok := e.(*ast.UnaryExpr); ok && address.Op == token.AND {
		e = address.X
	}
	_, ok := e.(*ast.CompositeLit)
	return ok
}

// promoted returns the sources of the embedded field whose method is called on x.
func (c *checker) promoted(fun ast.Expr, f *function) []*types.Var {
	e, ok := ast.Unparen(fun).(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	s := c.pass.TypesInfo.Selections[e]
	if s == nil || len(s.Index()) < 2 {
		return nil
	}
	n := named(s.Recv())
	if n == nil {
		return nil
	}
	fields, ok := n.Underlying().(*types.Struct)
	if !ok {
		return nil
	}
	t := &tracer{c, f, make(map[*types.Var]bool)}
	return t.field(e.X, fields.Field(s.Index()[0]))
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
			(path == "sync" || path == "sync/atomic") && strings.HasPrefix(f.Name(), "Load"):
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
