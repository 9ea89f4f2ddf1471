package evvet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

const (
	evPath     = "github.com/goevlib/ev"
	evtimePath = evPath + "/evtime"
)

// safe has the methods that are documented as safe for concurrent use, and the Run methods, which
// make the calling goroutine the loop's.
var safe = map[string]bool{
	"Async.Send": true, "Async.Sent": true, "Queue.Send": true, "Queue.SendWait": true,
	"Signal.Signal": true, "Child.Pid": true, "Stat.Path": true, "Embed.Other": true, "Task.Context": true,
	"Mailbox.Send": true, "Mailbox.Len": true, "Mailbox.Close": true,
	"Loop.Run": true, "Loop.RunOnce": true, "Loop.RunNoWait": true,
	"Loop.Post": true, "Loop.Stop": true, "Loop.StopAll": true, "Loop.Close": true, "Loop.Stats": true,
	"Loop.ID": true, "Loop.Name": true, "Loop.String": true, "Loop.Backend": true, "Loop.Observe": true,
	"Attempt.Number": true,
	"Loop.Running":   true, "Loop.Parked": true, "Loop.GoroutineID": true,
}

// common has the safe methods that all watchers have.
var common = map[string]bool{"Loop": true, "Name": true}

// owned has the functions that must be called on the goroutine of the loop, or of the task's loop,
// that is their first argument.
var owned = map[string]bool{"Spawn": true, "Await": true, "Go": true}

// waits has the methods and functions that suspend a task.
var waits = map[string]bool{
	"Task.Sleep": true, "Task.Yield": true, "Task.WaitFD": true, "Task.WaitConn": true, "Task.Join": true,
	"Cond.Wait": true, "Mailbox.Receive": true, "Group.Wait": true, "Await": true,
}

// watcherOf returns the interface ev.Watcher that pkg uses, or nil.
func watcherOf(pkg *types.Package) *types.Interface {
	seen := make(map[*types.Package]bool)
	for packages := []*types.Package{pkg}; len(packages) > 0; packages = packages[1:] {
		p := packages[0]
		if p.Path() == evPath {
			if o := p.Scope().Lookup("Watcher"); o != nil {
				i, _ := o.Type().Underlying().(*types.Interface)
				return i
			}
		}
		for _, imported := range p.Imports() {
			if !seen[imported] {
				seen[imported] = true
				packages = append(packages, imported)
			}
		}
	}
	return nil
}

// callee returns the function or method that is called, or nil if that is not known.
func (c *checker) callee(call *ast.CallExpr) *types.Func {
	f, _ := typeutil.Callee(c.pass.TypesInfo, call).(*types.Func)
	if f == nil {
		return nil
	}
	return f.Origin()
}

// function returns the name of the function of package ev that is called, or "" for anything else.
func (c *checker) function(call *ast.CallExpr) string {
	f := c.callee(call)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != evPath || f.Signature().Recv() != nil {
		return ""
	}
	return f.Name()
}

// method returns the exported method of package ev that is called, as Type.Method of the type that
// declares it, or "".
func (c *checker) method(call *ast.CallExpr) string {
	f := c.callee(call)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != evPath || !f.Exported() || f.Signature().Recv() == nil {
		return ""
	}
	declared := named(f.Signature().Recv().Type())
	if declared == nil {
		return ""
	}
	return declared.Obj().Name() + "." + f.Name()
}

// constructor reports whether the call makes a watcher of package ev, or a helper of package
// evtime, and returns the name of the function.
func (c *checker) constructor(call *ast.CallExpr) (name string, ok bool) {
	f := c.callee(call)
	if f == nil || f.Pkg() == nil || f.Signature().Recv() != nil || !strings.HasPrefix(f.Name(), "New") {
		return "", false
	}
	path := f.Pkg().Path()
	return f.Name(), path == evtimePath || path == evPath && f.Name() != "New"
}

// mustBeOwned returns the name of the method value or function if it must be called on the loop's
// goroutine, else "".
func (c *checker) mustBeOwned(fun ast.Expr) string {
	switch e := ast.Unparen(fun).(type) {
	case *ast.IndexExpr:
		return c.mustBeOwned(e.X)
	case *ast.IndexListExpr:
		return c.mustBeOwned(e.X)
	case *ast.SelectorExpr:
		if s := c.pass.TypesInfo.Selections[e]; s != nil {
			return c.ownedMethod(s)
		}
		return c.ownedFunction(e.Sel)
	case *ast.Ident:
		return c.ownedFunction(e)
	}
	return ""
}

func (c *checker) ownedFunction(id *ast.Ident) string {
	f, _ := c.pass.TypesInfo.Uses[id].(*types.Func)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != evPath || f.Signature().Recv() != nil || !owned[f.Name()] {
		return ""
	}
	return "ev." + f.Name()
}

func (c *checker) ownedMethod(s *types.Selection) string {
	f, ok := s.Obj().(*types.Func)
	if !ok || s.Kind() != types.MethodVal || f.Pkg() == nil || !f.Exported() {
		return ""
	}
	// The type that declares the method counts: a type of the program that embeds an
	// *ev.Async has its Send, too.
	declared := named(f.Signature().Recv().Type())
	if declared == nil || safe[declared.Obj().Name()+"."+f.Name()] {
		return ""
	}
	if f.Pkg().Path() == evtimePath {
		return declared.Obj().Name() + "." + f.Name()
	}
	kind := c.kind(s.Recv())
	if f.Pkg().Path() != evPath || kind == "" || kind != "Loop" && common[f.Name()] {
		return ""
	}
	return kind + "." + f.Name()
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

// reachesLoop reports whether code can get from a value of this type to a loop or a watcher.
// Functions, channels, and interfaces other than watchers, do not count.
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
	case *types.Struct:
		for f := range u.Fields() {
			if c.leads(f.Type(), seen) {
				return true
			}
		}
	}
	return false
}
