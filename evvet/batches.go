package evvet

import (
	"go/ast"
	"go/token"
	"go/types"

	"github.com/goevlib/ev/internal/advice"
)

// checkBatches reports batches of Queues that are used after the callback.
func (c *checker) checkBatches() {
	for _, cb := range c.callbacks() {
		if cb.kind != "Queue" || len(cb.params) != 2 || cb.params[1] == nil {
			continue
		}
		k := &keeper{checker: c, f: cb.function, names: map[*types.Var]bool{cb.params[1]: true}}
		for _, pos := range k.kept() {
			c.report(pos, "batch", advice.BatchKept, "the Queue uses the memory of the batch again after the callback")
		}
	}
}

// keeper finds what keeps a slice in a function.
type keeper struct {
	*checker
	f     *function
	names map[*types.Var]bool // the slice has these names
	found []token.Pos
	depth int
}

// kept returns where the slice is kept for longer than the function runs.
func (k *keeper) kept() []token.Pos {
	ast.Inspect(k.f.body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			k.assign(n)
		case *ast.SendStmt:
			k.keep(n.Value)
		case *ast.GoStmt:
			k.uses(n.Call)
			return false
		case *ast.CallExpr:
			return k.call(n)
		}
		return true
	})
	return k.found
}

// assign follows the slice to other names of it in the function, and reports others.
func (k *keeper) assign(a *ast.AssignStmt) {
	if len(a.Lhs) != len(a.Rhs) {
		return
	}
	for i, to := range a.Lhs {
		if !k.holds(a.Rhs[i]) {
			continue
		}
		if id, ok := ast.Unparen(to).(*ast.Ident); ok {
			v, _ := k.pass.TypesInfo.ObjectOf(id).(*types.Var)
			if v == nil || k.names[v] {
				continue // _, or the slice itself
			}
			if k.f.contains(v) {
				if k.isSlice(a.Rhs[i]) {
					k.names[v] = true
				}
				continue
			}
		}
		if root := k.root(to); root == nil || !k.f.contains(root) || k.f.isParam(root) {
			k.found = append(k.found, a.Rhs[i].Pos())
		}
	}
}

// root returns the variable at the beginning of an expression such as s.batches[i], or nil.
func (k *keeper) root(e ast.Expr) *types.Var {
	for {
		switch x := ast.Unparen(e).(type) {
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.Ident:
			v, _ := k.pass.TypesInfo.ObjectOf(x).(*types.Var)
			return v
		default:
			return nil
		}
	}
}

// isSlice reports whether the expression is the slice or a part of it.
func (k *keeper) isSlice(e ast.Expr) bool {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		v, _ := k.pass.TypesInfo.Uses[e].(*types.Var)
		return k.names[v]
	case *ast.SliceExpr:
		return k.isSlice(e.X)
	}
	return false
}

// holds reports whether the value of the expression has the slice in it: it is the slice, a
// composite literal with it, or a slice to which it is appended as an element.
func (k *keeper) holds(e ast.Expr) bool {
	if k.isSlice(e) {
		return true
	}
	switch e := ast.Unparen(e).(type) {
	case *ast.UnaryExpr:
		return e.Op == token.AND && k.holds(e.X)
	case *ast.KeyValueExpr:
		return k.holds(e.Value)
	case *ast.CompositeLit:
		for _, elt := range e.Elts {
			if k.holds(elt) {
				return true
			}
		}
	case *ast.CallExpr:
		if id, ok := ast.Unparen(e.Fun).(*ast.Ident); !ok || id.Name != "append" || !k.pass.TypesInfo.Types[e.Fun].IsBuiltin() {
			return false
		}
		for i, arg := range e.Args {
			last := i == len(e.Args)-1 && e.Ellipsis.IsValid() // its elements are copied
			if !last && k.holds(arg) {
				return true
			}
		}
	}
	return false
}

func (k *keeper) keep(e ast.Expr) {
	if k.holds(e) {
		k.found = append(k.found, e.Pos())
	}
}

// uses reports the first use of the slice in a function literal that runs later, or among the
// arguments of its call.
func (k *keeper) uses(n ast.Node) {
	done := false
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && !done {
			if v, ok := k.pass.TypesInfo.Uses[id].(*types.Var); ok && k.names[v] {
				k.found, done = append(k.found, id.Pos()), true
			}
		}
		return !done
	})
}

// call follows the slice into a function of the package, and reports literals that are called
// later. It returns whether the rest of the call is to be looked at.
func (k *keeper) call(call *ast.CallExpr) bool {
	f := k.callee(call)
	if f != nil {
		_, starts := starters[f.FullName()]
		if kind, _ := k.takesCallbacks(call); starts || kind != "" && kind != "Call" {
			for _, arg := range call.Args {
				if lit, ok := ast.Unparen(arg).(*ast.FuncLit); ok {
					k.uses(lit)
				}
			}
			return false
		}
	}
	g := k.resolve(call.Fun)
	if g == nil || isInline(call) || g.name == "" || k.depth > 4 {
		return true
	}
	for i, arg := range call.Args {
		if i >= len(g.params) || g.params[i] == nil || !k.isSlice(arg) {
			continue
		}
		inner := &keeper{checker: k.checker, f: g, names: map[*types.Var]bool{g.params[i]: true}, depth: k.depth + 1}
		if len(inner.kept()) > 0 {
			k.found = append(k.found, arg.Pos())
		}
	}
	return true
}
