package evvet

import (
	"go/ast"
	"go/types"
)

// safe has the methods that are documented as safe for concurrent use, and the Run methods, which
// make the calling goroutine the loop's.
var safe = map[string]bool{
	"Async.Send": true, "Async.Sent": true, "Queue.Send": true,
	"Signal.Signal": true, "Child.Pid": true, "Stat.Path": true, "Embed.Other": true, "Task.Context": true,
	"Loop.Run": true, "Loop.RunOnce": true, "Loop.RunNoWait": true,
	"Loop.Post": true, "Loop.Stop": true, "Loop.StopAll": true, "Loop.Close": true, "Loop.Stats": true,
	"Loop.ID": true, "Loop.Name": true, "Loop.String": true, "Loop.Backend": true, "Loop.Observe": true,
	"Loop.Running": true, "Loop.Parked": true, "Loop.GoroutineID": true,
}

// common has the safe methods that all watchers have.
var common = map[string]bool{"Loop": true, "Name": true}

// report reports the call if its method must be called on the loop's goroutine.
func (c *checker) report(call *ast.CallExpr) {
	s := c.selection(call)
	if s == nil {
		return
	}
	kind, method := c.kind(s.Recv()), s.Obj().Name()
	// The type that declares the method counts: a type of the program that embeds an
	// *ev.Async has its Send, too.
	declared := named(s.Obj().(*types.Func).Signature().Recv().Type())
	if kind == "" || declared == nil || safe[declared.Obj().Name()+"."+method] || kind != "Loop" && common[method] {
		return
	}
	c.pass.Reportf(call.Pos(), "%s.%s must be called on the loop's goroutine, and this is another: "+
		"use Loop.Post, ev.Call, Async.Send or Queue.Send", kind, method)
}

// selection returns the method of package ev that is called, or nil.
func (c *checker) selection(call *ast.CallExpr) *types.Selection {
	e, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	s := c.pass.TypesInfo.Selections[e]
	if s == nil || s.Kind() != types.MethodVal || s.Obj().Pkg() == nil || s.Obj().Pkg().Path() != evPath || !s.Obj().Exported() {
		return nil
	}
	return s
}

func (c *checker) ofLoop(call *ast.CallExpr) bool {
	s := c.selection(call)
	return s != nil && c.kind(s.Recv()) == "Loop"
}

// kind returns the name of t if it is ev.Loop or a watcher, and "" otherwise. For a type that
// embeds a watcher, it returns the name of that type.
func (c *checker) kind(t types.Type) string {
	n := named(t)
	if n == nil {
		return ""
	}
	name := n.Obj().Name()
	if ours := n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == evPath; ours && name == "Loop" ||
		types.Implements(n, c.watcher) || types.Implements(types.NewPointer(n), c.watcher) {
		return name
	}
	return ""
}

// named returns the type or, for a pointer, the type that it points to. It returns nil if that
// type has no name.
func named(t types.Type) *types.Named {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	n, _ := types.Unalias(t).(*types.Named)
	return n
}

// reachesLoop reports whether code can get from a value of this type to a loop or a watcher. A
// function may have captured one. Channels, and interfaces other than watchers, do not count.
func (c *checker) reachesLoop(t types.Type) bool {
	return t != nil && c.leads(t, make(map[types.Type]bool))
}

func (c *checker) leads(t types.Type, seen map[types.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if c.kind(t) != "" {
		return true
	}
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return c.leads(u.Elem(), seen)
	case *types.Slice:
		return c.leads(u.Elem(), seen)
	case *types.Array:
		return c.leads(u.Elem(), seen)
	case *types.Map:
		return c.leads(u.Elem(), seen) || c.leads(u.Key(), seen)
	case *types.Signature:
		return true
	case *types.Struct:
		for f := range u.Fields() {
			if c.leads(f.Type(), seen) {
				return true
			}
		}
	}
	return false
}
