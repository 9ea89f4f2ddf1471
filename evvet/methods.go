package evvet

import (
	"go/ast"
	"go/types"
	"slices"
)

// safe has the methods that are documented as safe for concurrent use, and the Run methods, which
// make the calling goroutine the loop's.
var safe = map[string]bool{
	"Async.Send": true, "Async.Sent": true, "Queue.Send": true,
	"Signal.Signal": true, "Child.Pid": true, "Stat.Path": true, "Embed.Other": true, "Task.Context": true,
	"Mailbox.Send": true, "Mailbox.Len": true, "Mailbox.Close": true,
	"Loop.Run": true, "Loop.RunOnce": true, "Loop.RunNoWait": true,
	"Loop.Post": true, "Loop.Stop": true, "Loop.StopAll": true, "Loop.Close": true, "Loop.Stats": true,
	"Loop.ID": true, "Loop.Name": true, "Loop.String": true, "Loop.Backend": true, "Loop.Observe": true,
	"Loop.Running": true, "Loop.Parked": true, "Loop.GoroutineID": true,
}

// common has the safe methods that all watchers have.
var common = map[string]bool{"Loop": true, "Name": true}

// owned has the functions that must be called on the goroutine of the loop, or of the task's loop,
// that is their first argument.
var owned = map[string]bool{"Spawn": true, "Await": true, "Go": true}

// function returns the name of the function of package ev that is called, or "" for anything else.
func (c *checker) function(call *ast.CallExpr) string {
	f := c.callee(call)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != evPath || f.Signature().Recv() != nil {
		return ""
	}
	return f.Name()
}

const advice = "must be called on the loop's goroutine, and this is another: " +
	"use Loop.Post, ev.Call, Async.Send, Queue.Send or Mailbox.Send"

// report reports the call if its method or function must be called on the loop's goroutine.
func (c *checker) report(call *ast.CallExpr) {
	if f := c.function(call); owned[f] {
		c.pass.Reportf(call.Pos(), "ev.%s %s", f, advice)
		return
	}
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
	c.pass.Reportf(call.Pos(), "%s.%s %s", kind, method, advice)
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

// kind returns the name of t if it is ev.Loop, a watcher, or one of the types that tasks wait for,
// and "" otherwise. For a type that embeds a watcher, it returns the name of that type.
func (c *checker) kind(t types.Type) string {
	n := named(t)
	if n == nil {
		return ""
	}
	name := n.Obj().Name()
	if isOurs(n, "Loop", "Cond", "Mailbox", "Group") ||
		types.Implements(n, c.watcher) || types.Implements(types.NewPointer(n), c.watcher) {
		return name
	}
	return ""
}

// isOurs reports whether the type is one of these of package ev.
func isOurs(n *types.Named, names ...string) bool {
	return n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == evPath && slices.Contains(names, n.Obj().Name())
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
