package evvet

import (
	"go/ast"
	"go/types"
	"strings"
)

// function is a function of the package: a declaration or a literal.
type function struct {
	node   ast.Node // *ast.FuncDecl or *ast.FuncLit
	name   string   // of a declaration
	body   *ast.BlockStmt
	recv   *types.Var   // nil without a receiver
	params []*types.Var // nil entries for those without a name
	sig    *types.Signature

	touched []touch // by touches
	blocked []block // by blocks
	state   struct{ touched, blocked, runs, waits progress }
}

// progress is of a property of a function that is computed once. A recursive function meets
// itself while that happens, and adds nothing.
type progress uint8

const (
	unknown progress = iota
	computing
	no
	yes
)

func (c *checker) findFunctions() {
	for n := range c.in.PreorderSeq((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		f := &function{node: n}
		switch n := n.(type) {
		case *ast.FuncDecl:
			o, _ := c.pass.TypesInfo.Defs[n.Name].(*types.Func)
			if o == nil || n.Body == nil {
				continue
			}
			f.name, f.body, f.sig = n.Name.Name, n.Body, o.Signature()
			c.declared[o] = f
			if n.Recv != nil {
				if vars := c.variables(n.Recv); len(vars) > 0 {
					f.recv = vars[0]
				}
			}
			f.params = c.variables(n.Type.Params)
		case *ast.FuncLit:
			f.body = n.Body
			f.sig, _ = c.pass.TypesInfo.TypeOf(n).(*types.Signature)
			f.params = c.variables(n.Type.Params)
		}
		c.functions[n] = f
		c.order = append(c.order, f)
	}
}

// variables returns the variables of a list of parameters.
func (c *checker) variables(list *ast.FieldList) (vars []*types.Var) {
	for _, field := range list.List {
		if len(field.Names) == 0 {
			vars = append(vars, nil)
		}
		for _, name := range field.Names {
			v, _ := c.pass.TypesInfo.Defs[name].(*types.Var)
			vars = append(vars, v)
		}
	}
	return vars
}

// contains reports whether the variable is declared in the function, its parameters included.
func (f *function) contains(v *types.Var) bool {
	return v.Pos() >= f.node.Pos() && v.Pos() < f.node.End()
}

// isParam reports whether the variable is the receiver or a parameter.
func (f *function) isParam(v *types.Var) bool {
	if v == f.recv {
		return true
	}
	for _, p := range f.params {
		if p == v {
			return true
		}
	}
	return false
}

// argument returns what the call passes for the receiver or parameter v, or nil.
func (f *function) argument(call *ast.CallExpr, v *types.Var) ast.Expr {
	if v == f.recv {
		return receiver(call)
	}
	for i, p := range f.params {
		if p == v && i < len(call.Args) && !(f.sig.Variadic() && i == len(f.params)-1) {
			return call.Args[i]
		}
	}
	return nil
}

// receiver returns the receiver of a method call, x in x.m(), or nil.
func receiver(call *ast.CallExpr) ast.Expr {
	if s, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return s.X
	}
	return nil
}

// resolve returns the function of this package that an expression denotes: a literal, a
// declaration, a method value, a conversion of one, or a variable that never is anything else. It
// returns nil if that is not known.
func (c *checker) resolve(e ast.Expr) *function {
	switch e := ast.Unparen(e).(type) {
	case *ast.FuncLit:
		return c.functions[e]
	case *ast.Ident:
		return c.resolveObject(c.pass.TypesInfo.Uses[e])
	case *ast.SelectorExpr:
		return c.resolveObject(c.pass.TypesInfo.Uses[e.Sel])
	case *ast.IndexExpr:
		if c.pass.TypesInfo.Types[e.Index].IsType() { // a type argument
			return c.resolve(e.X)
		}
	case *ast.CallExpr:
		if len(e.Args) == 1 && c.pass.TypesInfo.Types[e.Fun].IsType() {
			return c.resolve(e.Args[0])
		}
	}
	return nil
}

func (c *checker) resolveObject(o types.Object) *function {
	switch o := o.(type) {
	case *types.Func:
		return c.declared[o.Origin()]
	case *types.Var:
		if values := c.values[o]; len(values) == 1 && values[0].single() && values[0].expr != nil {
			if lit, ok := ast.Unparen(values[0].expr).(*ast.FuncLit); ok {
				return c.functions[lit]
			}
		}
	}
	return nil
}

// visit calls fn for each node that the function runs itself. It leaves out function literals that
// are called later or on another goroutine.
func (c *checker) visit(body ast.Node, fn func(ast.Node) bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case nil:
			return false
		case *ast.FuncLit:
			return n == body
		case *ast.GoStmt:
			return false // a place of its own
		case *ast.CallExpr:
			if !fn(n) {
				return false
			}
			for _, lit := range c.inline(n) {
				c.visit(lit.Body, fn)
			}
			return true
		}
		return fn(n)
	})
}

// calls returns the calls that the function makes itself.
func (c *checker) calls(body ast.Node) (calls []*ast.CallExpr) {
	c.visit(body, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			calls = append(calls, call)
		}
		return true
	})
	return calls
}

// inline returns the function literals that are called before the call returns, or when the
// function returns that defers the call.
func (c *checker) inline(call *ast.CallExpr) (lits []*ast.FuncLit) {
	if lit, ok := ast.Unparen(call.Fun).(*ast.FuncLit); ok {
		lits = append(lits, lit)
	}
	f := c.callee(call)
	if f == nil || f.Pkg() == nil {
		return lits
	}
	switch name := f.FullName(); {
	case c.method(call) == "Task.Within", name == "(*sync.Once).Do", name == "(*sync.Map).Range":
	case strings.HasPrefix(name, "slices."), strings.HasPrefix(name, "maps."), strings.HasPrefix(name, "sort."):
	default:
		return lits
	}
	for _, arg := range call.Args {
		if lit, ok := ast.Unparen(arg).(*ast.FuncLit); ok {
			lits = append(lits, lit)
		}
	}
	return lits
}
