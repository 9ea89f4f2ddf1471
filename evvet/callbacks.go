package evvet

import (
	"go/ast"
	"strings"
)

// This file finds the functions that run on the loop's goroutine.

// callback is a function that a loop calls.
type callback struct {
	*function
	kind string // the constructor without New, or Post, Call, Go, Task
}

// callbacks returns the functions that loops call: those given to constructors, SetCallback, Post,
// Call and the like, and those with the type of a task's function.
func (c *checker) callbacks() (found []callback) {
	for n := range c.in.PreorderSeq((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil), (*ast.CallExpr)(nil)) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			if f := c.functions[n]; f != nil && isTask(f.sig) {
				found = append(found, callback{f, "Task"})
			}
			continue
		}
		kind, skip := c.takesCallbacks(call)
		if kind == "" {
			continue
		}
		for i, arg := range call.Args {
			if f := c.resolve(arg); f != nil && i != skip && !isTask(f.sig) {
				found = append(found, callback{f, kind})
			}
		}
	}
	return found
}

// takesCallbacks returns the kind of callback that the call takes, or "". The argument with the
// index skip is not one.
func (c *checker) takesCallbacks(call *ast.CallExpr) (kind string, skip int) {
	if name, ok := c.constructor(call); ok {
		return strings.TrimPrefix(name, "New"), -1
	}
	switch name := c.function(call); name {
	case "Call":
		return name, -1
	case "Go":
		return name, 1
	}
	method := c.method(call)
	kind, method, _ = strings.Cut(method, ".")
	switch method {
	case "Post", "Go":
		return method, -1
	case "SetCallback", "SetNext":
		return kind, -1
	}
	return "", -1
}
