package evvet

import (
	"go/ast"
	"go/types"
	"maps"
	"slices"

	"golang.org/x/tools/go/cfg"

	"github.com/goevlib/ev/internal/advice"
)

// checkLocks reports waits of tasks between Lock and Unlock of a mutex.
func (c *checker) checkLocks() {
	for _, f := range c.order {
		if c.inTest(f.node.Pos()) || !c.waits(f) {
			continue
		}
		c.checkLocksIn(f)
	}
}

// mutexes is the set of mutexes that are locked at a place, by the expressions that name them.
type mutexes map[string]bool

// checkLocksIn follows the mutexes along the function's control flow. One that is not locked on
// every way to a place does not count there.
func (c *checker) checkLocksIn(f *function) {
	graph := cfg.New(f.body, c.mayReturn)
	before := map[*cfg.Block]mutexes{graph.Blocks[0]: {}}
	for work := []*cfg.Block{graph.Blocks[0]}; len(work) > 0; {
		b := work[0]
		work = work[1:]
		after := maps.Clone(before[b])
		for _, n := range b.Nodes {
			c.follow(f, n, after, nil)
		}
		for _, next := range b.Succs {
			known, seen := before[next]
			merged := after
			if seen {
				merged = both(known, after)
			}
			if !seen || len(merged) != len(known) {
				before[next] = maps.Clone(merged)
				work = append(work, next)
			}
		}
	}
	for b, held := range before {
		held = maps.Clone(held)
		for _, n := range b.Nodes {
			c.follow(f, n, held, c.reportHeld)
		}
	}
}

func both(a, b mutexes) mutexes {
	m := make(mutexes)
	for name := range a {
		if b[name] {
			m[name] = true
		}
	}
	return m
}

// follow applies the calls in a node of f to the set, and calls report for the waits, if it is not
// nil.
func (c *checker) follow(f *function, n ast.Node, held mutexes, report func(*ast.CallExpr, mutexes)) {
	_, deferred := n.(*ast.DeferStmt)
	for _, call := range c.calls(n) {
		name, locks := c.mutex(call)
		switch {
		case deferred: // at the end of the function
		case name != "" && locks:
			held[name] = true
		case name != "":
			delete(held, name)
		case report != nil && len(held) > 0 && c.isWait(f, call):
			report(call, held)
		}
	}
}

func (c *checker) reportHeld(call *ast.CallExpr, held mutexes) {
	name := slices.Sorted(maps.Keys(held))[0]
	c.report(call.Pos(), "lock", advice.LockHeld,
		"%s waits while %s is locked, and another task that locks it blocks the loop", types.ExprString(call.Fun), name)
}

// mutex returns the expression whose Lock or Unlock the call is, or "".
func (c *checker) mutex(call *ast.CallExpr) (name string, locks bool) {
	f := c.callee(call)
	if f == nil || f.Pkg() == nil || f.Pkg().Path() != "sync" || receiver(call) == nil {
		return "", false
	}
	switch f.Name() {
	case "Lock", "RLock":
		return types.ExprString(receiver(call)), true
	case "Unlock", "RUnlock":
		return types.ExprString(receiver(call)), false
	}
	return "", false
}

// waits reports whether f calls a wait of a task, itself or by functions of the package.
func (c *checker) waits(f *function) bool {
	if f.state.waits == unknown {
		f.state.waits = computing
		waits := no
		if slices.ContainsFunc(c.calls(f.body), func(call *ast.CallExpr) bool { return c.isWait(f, call) }) {
			waits = yes
		}
		f.state.waits = waits
	}
	return f.state.waits == yes
}

// isWait reports whether a call in f is a wait of a task. In a function that has the task, a
// connection should be one of package evnet: another would block the loop, which is no better.
func (c *checker) isWait(f *function, call *ast.CallExpr) bool {
	if waits[c.method(call)] || waits[c.function(call)] || hasTask(f.sig) && c.ofConn(call) {
		return true
	}
	g := c.resolve(call.Fun)
	return g != nil && !isInline(call) && c.waits(g)
}

func hasTask(sig *types.Signature) bool {
	for p := range sig.Params().Variables() {
		if n := named(p.Type()); n != nil && isOurs(n, "Task") {
			return true
		}
	}
	return false
}

// ofConn reports whether the call reads from a connection, writes to it, or accepts one.
func (c *checker) ofConn(call *ast.CallExpr) bool {
	f := c.callee(call)
	return f != nil && (ofConns[f.FullName()] || writes[f.FullName()])
}

var writes = map[string]bool{"(net.Conn).Write": true, "(*net.conn).Write": true}

// mayReturn reports whether the call may return, as far as its name tells.
func (c *checker) mayReturn(call *ast.CallExpr) bool {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && id.Name == "panic" {
		return false
	}
	f := c.callee(call)
	return f == nil || !ends[f.FullName()]
}

var ends = map[string]bool{
	"os.Exit": true, "runtime.Goexit": true, "log.Fatal": true, "log.Fatalf": true, "log.Fatalln": true,
}
