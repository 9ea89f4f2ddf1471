package evvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"

	"golang.org/x/tools/go/ast/edge"
)

// This file finds the functions that run on other goroutines than the loop's.

// place is a function that runs on another goroutine than the loop's, or may.
type place struct {
	*function
	bound   []*types.Var // its parameters and receiver whose values come from outside
	running []*types.Var // tasks and loops that run meanwhile on the loop's goroutine
	sure    bool         // nothing but a call of Run makes the goroutine the loop's own
	why     string       // this is another goroutine, or what makes it one
}

// starter is a function that calls an argument on another goroutine.
type starter struct {
	index int  // of the argument
	sure  bool // nothing that the argument calls is likely to be Run
}

var starters = map[string]starter{
	evPath + ".Go":                                   {index: 1},
	evPath + ".Await":                                {index: 1},
	"(*sync.WaitGroup).Go":                           {},
	"(*golang.org/x/sync/errgroup.Group).Go":         {},
	"(*golang.org/x/sync/errgroup.Group).TryGo":      {},
	"(*github.com/sourcegraph/conc.WaitGroup).Go":    {},
	"(*golang.org/x/sync/singleflight.Group).DoChan": {index: 1, sure: true},
	"(*github.com/robfig/cron/v3.Cron).AddFunc":      {index: 1, sure: true},
	"(*net/http.Server).RegisterOnShutdown":          {sure: true},
	"time.AfterFunc":                                 {index: 1, sure: true},
	"context.AfterFunc":                              {index: 1, sure: true},
	"runtime.SetFinalizer":                           {index: 1, sure: true},
	"runtime.AddCleanup":                             {index: 1, sure: true},
}

// handlers has the types of the parameter of functions that a server calls. Those of net/http have
// two.
var handlers = []string{
	"github.com/gin-gonic/gin.Context",
	"github.com/labstack/echo/v4.Context", "github.com/labstack/echo/v5.Context",
	"github.com/gofiber/fiber/v2.Ctx", "github.com/gofiber/fiber/v3.Ctx",
}

// handled returns the functions that servers call. It leaves out a function that the package only
// calls itself, perhaps on the loop's goroutine.
func (c *checker) handled() (places []*place) {
	called := c.calledOnly()
	for _, f := range c.order {
		if name := server(f.sig); name != "" && !called[f] {
			why := name + " calls this on another"
			places = append(places, &place{function: f, bound: []*types.Var{f.recv}, sure: true, why: why})
		}
	}
	return places
}

// calledOnly returns the functions of the package that it calls and does not use as values. A
// ServeHTTP is a value of type http.Handler.
func (c *checker) calledOnly() map[*function]bool {
	called := make(map[*function]bool)
	for cur := range c.in.Root().Preorder((*ast.Ident)(nil)) {
		o, ok := c.pass.TypesInfo.Uses[cur.Node().(*ast.Ident)].(*types.Func)
		if !ok || c.declared[o.Origin()] == nil || o.Name() == "ServeHTTP" {
			continue
		}
		f := c.declared[o.Origin()]
		if cur.ParentEdgeKind() == edge.SelectorExpr_Sel {
			cur = cur.Parent()
		}
		isCall := cur.ParentEdgeKind() == edge.CallExpr_Fun
		if before, seen := called[f]; !seen || before {
			called[f] = isCall
		}
	}
	return called
}

// server returns the name of the package whose servers call functions of this type, each on a
// goroutine of its own, or "".
func server(sig *types.Signature) string {
	n := sig.Params().Len()
	if n == 0 || n > 2 {
		return ""
	}
	last := named(sig.Params().At(n - 1).Type())
	if last == nil || last.Obj().Pkg() == nil {
		return ""
	}
	name := last.Obj().Pkg().Path() + "." + last.Obj().Name()
	switch {
	case n == 2 && name == "net/http.Request" && sig.Params().At(0).Type().String() == "net/http.ResponseWriter":
		return "net/http"
	case n == 1 && slices.Contains(handlers, name):
		return last.Obj().Pkg().Name()
	}
	return ""
}

// started returns the function that a go statement calls, or nil if it is not of this package.
func (c *checker) started(call *ast.CallExpr) *place {
	f := c.resolve(call.Fun)
	if f == nil {
		return nil
	}
	p := &place{function: f, why: "this is another"}
	if f.name != "" {
		p.why = fmt.Sprintf("%s starts this function on another", c.line(call.Pos()))
	}
	for _, v := range append([]*types.Var{f.recv}, f.params...) {
		if v == nil {
			continue
		}
		if arg := f.argument(call, v); arg != nil && c.exists(arg) {
			p.bound = append(p.bound, v)
		}
	}
	return p
}

// exists reports whether the value of an argument existed before the call: it is not made for it.
func (c *checker) exists(e ast.Expr) bool {
	switch x := ast.Unparen(e).(type) {
	case *ast.Ident, *ast.SelectorExpr, *ast.IndexExpr:
		return true
	case *ast.UnaryExpr:
		return c.exists(x.X)
	case *ast.StarExpr:
		return c.exists(x.X)
	case *ast.CallExpr:
		return c.madeFrom(x) != nil
	}
	return false
}

// line returns a position without the path of the file.
func (c *checker) line(pos token.Pos) string {
	at := c.pass.Fset.Position(pos)
	return fmt.Sprintf("%s:%d", filepath.Base(at.Filename), at.Line)
}

// starter returns the place that the call starts if its function is a starter, and the argument
// that it calls. The place is nil if the argument is not a function of this package.
func (c *checker) starter(call *ast.CallExpr) (p *place, arg ast.Expr, why string) {
	f := c.callee(call)
	if f == nil {
		return nil, nil, ""
	}
	s, ok := starters[f.FullName()]
	if !ok || s.index >= len(call.Args) {
		return nil, nil, ""
	}
	arg, why = call.Args[s.index], short(f)+" calls this on another"
	work := c.resolve(arg)
	if work == nil {
		return nil, arg, why
	}
	p = &place{function: work, bound: []*types.Var{work.recv}, sure: s.sure, why: why}
	if f.Pkg().Path() == evPath {
		if v := c.variable(call.Args[0]); v != nil {
			p.running = []*types.Var{v}
		}
	}
	return p, arg, why
}
