package evvet

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

// This file tells which goroutines may be a loop's own.

// locksReleased reports whether f locks a mutex in a package that calls SetRelease. Such a mutex
// keeps the loop from running.
func (c *checker) locksReleased(f *function) bool {
	return c.releases && slices.ContainsFunc(c.calls(f.body), func(call *ast.CallExpr) bool {
		_, locks := c.mutex(call)
		return locks
	})
}

// runsLoop reports whether f may make its goroutine a loop's own, because it calls Run. With sure,
// a call that is not known does not count.
func (c *checker) runsLoop(f *function, sure bool) bool {
	if sure {
		return c.callsRun(f, make(map[*function]bool), true)
	}
	if f.state.runs == unknown {
		f.state.runs = no
		if c.callsRun(f, make(map[*function]bool), false) {
			f.state.runs = yes
		}
	}
	return f.state.runs == yes
}

func (c *checker) callsRun(f *function, seen map[*function]bool, sure bool) bool {
	if seen[f] {
		return false
	}
	seen[f] = true
	return slices.ContainsFunc(c.calls(f.body), func(call *ast.CallExpr) bool {
		return c.mayRun(call, seen, sure)
	})
}

// mayRun reports whether the call is Run, or is of code that may call it: of a function value that
// is not known, or of another package that gets a loop or a function.
func (c *checker) mayRun(call *ast.CallExpr, seen map[*function]bool, sure bool) bool {
	if tv := c.pass.TypesInfo.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() || isInline(call) {
		return false
	}
	if method := c.method(call); method != "" {
		return strings.HasPrefix(method, "Loop.Run")
	}
	if g := c.resolve(call.Fun); g != nil {
		return c.callsRun(g, seen, sure)
	}
	f := c.callee(call)
	if f == nil || f.Pkg() == nil || f.Pkg() == c.pass.Pkg {
		return !sure && !isError(f)
	}
	if f.Pkg().Path() == evPath || strings.HasPrefix(f.Pkg().Path(), evPath+"/ev") {
		return false
	}
	args := call.Args
	if x := receiver(call); x != nil && f.Signature().Recv() != nil {
		args = append([]ast.Expr{x}, args...)
	}
	return slices.ContainsFunc(args, func(arg ast.Expr) bool { return c.mayRunBy(arg, c.isStandard(f.Pkg()), seen, sure) })
}

// isError reports whether the function is the Error method of a type error.
func isError(f *types.Func) bool { return f != nil && f.Pkg() == nil }

// mayRunBy reports whether code of another package may call Run by the argument.
func (c *checker) mayRunBy(arg ast.Expr, standard bool, seen map[*function]bool, sure bool) bool {
	t := c.pass.TypesInfo.TypeOf(arg)
	if t == nil {
		return false
	}
	if _, ok := t.Underlying().(*types.Signature); ok {
		if g := c.resolve(arg); g != nil {
			return c.callsRun(g, seen, sure)
		}
		return !sure
	}
	return !sure && !standard && c.reachesLoop(t)
}

// isStandard reports whether the package is of the standard library, as far as its path tells.
func (c *checker) isStandard(p *types.Package) bool {
	first, _, _ := strings.Cut(p.Path(), "/")
	own, _, _ := strings.Cut(c.pass.Pkg.Path(), "/")
	return first != own && !strings.Contains(first, ".")
}
