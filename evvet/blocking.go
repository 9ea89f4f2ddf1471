package evvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/goevlib/ev/internal/advice"
)

// This file finds calls and operations that block a loop, in callbacks and tasks.

// blocking has the functions that block, and what to do instead. A name that ends with * stands for
// all with that beginning.
var blocking = map[string]string{
	"time.Sleep":                               advice.Sleeps,
	evPath + ".Call":                           advice.CallsItself,
	"(*" + evPath + ".Queue).SendWait":         advice.SendsToItself,
	evPath + "/evmeter.Ping":                   advice.Blocks,
	evPath + "/evmeter.Inspect":                advice.Blocks,
	"(" + evPath + "/evmeter.Task).Stack":      advice.Blocks,
	"(*sync.WaitGroup).Wait":                   advice.Blocks,
	"(*sync.Cond).Wait":                        advice.Blocks,
	"(*golang.org/x/sync/errgroup.Group).Wait": advice.Blocks,
	"net/http.Get":                             advice.Blocks,
	"net/http.Head":                            advice.Blocks,
	"net/http.Post":                            advice.Blocks,
	"net/http.PostForm":                        advice.Blocks,
	"net/http.Serve":                           advice.Blocks,
	"net/http.ServeTLS":                        advice.Blocks,
	"net/http.ListenAndServe*":                 advice.Blocks,
	"(*net/http.Client).Do":                    advice.Blocks,
	"(*net/http.Client).Get":                   advice.Blocks,
	"(*net/http.Client).Head":                  advice.Blocks,
	"(*net/http.Client).Post*":                 advice.Blocks,
	"(*net/http.Server).Serve":                 advice.Blocks,
	"(*net/http.Server).ServeTLS":              advice.Blocks,
	"(*net/http.Server).ListenAndServe*":       advice.Blocks,
	"(*net/http.Server).Shutdown":              advice.Blocks,
	"net.Dial*":                                advice.Blocks,
	"net.Lookup*":                              advice.Blocks,
	"(*net.Dialer).Dial*":                      advice.Blocks,
	"(*net.Resolver).Lookup*":                  advice.Blocks,
	"crypto/tls.Dial*":                         advice.Blocks,
	"net/smtp.SendMail":                        advice.Blocks,
	"net/rpc.Dial*":                            advice.Blocks,
	"(*net/rpc.Client).Call":                   advice.Blocks,
	"(*os/exec.Cmd).Run":                       advice.Blocks,
	"(*os/exec.Cmd).Output":                    advice.Blocks,
	"(*os/exec.Cmd).CombinedOutput":            advice.Blocks,
	"fmt.Scan":                                 advice.Blocks,
	"fmt.Scanf":                                advice.Blocks,
	"fmt.Scanln":                               advice.Blocks,
	"(*database/sql.DB).Ping*":                 advice.Blocks,
	"(*database/sql.DB).Query*":                advice.Blocks,
	"(*database/sql.DB).Exec*":                 advice.Blocks,
	"(*database/sql.DB).Begin*":                advice.Blocks,
	"(*database/sql.DB).Prepare*":              advice.Blocks,
	"(*database/sql.Tx).Query*":                advice.Blocks,
	"(*database/sql.Tx).Exec*":                 advice.Blocks,
	"(*database/sql.Tx).Commit":                advice.Blocks,
	"(*database/sql.Stmt).Query*":              advice.Blocks,
	"(*database/sql.Stmt).Exec*":               advice.Blocks,
}

// ofConns has the methods that block unless a descriptor is ready. In the callback of an IO, it may
// be no longer so.
var ofConns = map[string]bool{
	"(net.Listener).Accept": true, "(*net.TCPListener).Accept": true, "(*net.TCPListener).AcceptTCP": true,
	"(*net.UnixListener).Accept": true, "(net.Conn).Read": true, "(*net.conn).Read": true,
	"(*net.UDPConn).ReadFrom": true, "(*net.UDPConn).ReadFromUDP": true, "(*net.UDPConn).ReadFromUDPAddrPort": true,
	"(net.PacketConn).ReadFrom": true,
}

func (c *checker) checkBlocking() {
	for _, cb := range c.callbacks() {
		if cb.kind == "Cleanup" || c.inTest(cb.node.Pos()) { // a loop that ends may wait
			continue
		}
		for _, b := range c.blocks(cb.function) {
			switch ofIO := cb.kind == "IO" || cb.kind == "ConnIO"; {
			case b.ofConn && cb.kind == "Task": // on what package evnet wraps, it is a wait
			case b.ofConn && ofIO:
				c.report(b.pos, "blocking", advice.ReadsInIO, "%s%s may block the loop", b.what, b.in)
			default:
				c.report(b.pos, "blocking", b.advice, "%s%s blocks the loop", b.what, b.in)
			}
		}
	}
}

// block is a call or an operation, in a function, that blocks.
type block struct {
	pos    token.Pos
	what   string
	in     string // the function of the package that it is in, and the line, or ""
	advice string
	ofConn bool
}

// blocks returns what blocks in f, itself or by functions of the package.
func (c *checker) blocks(f *function) []block {
	if f.state.blocked != unknown {
		return f.blocked
	}
	f.state.blocked = computing
	b := &blocker{checker: c, f: f}
	c.visit(f.body, b.visit)
	f.state.blocked = yes
	return f.blocked
}

// blocker visits the nodes of a function.
type blocker struct {
	*checker
	f *function
}

func (b *blocker) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CallExpr:
		b.call(n)
	case *ast.SelectStmt:
		b.selects(n)
		return false
	case *ast.SendStmt:
		if b.unbuffered(n.Chan) {
			b.add(n.Arrow, "a send to a channel without a buffer", advice.Sends)
		}
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			b.receive(n)
		}
	case *ast.RangeStmt:
		if _, ok := b.pass.TypesInfo.TypeOf(n.X).Underlying().(*types.Chan); ok {
			b.add(n.Pos(), "a range over a channel", advice.Receives)
		}
	case *ast.ForStmt:
		return !b.asksLen(n.Cond)
	case *ast.IfStmt:
		return !b.asksLen(n.Cond)
	case *ast.ExprStmt:
		return !b.frees(n.X)
	}
	return true
}

func (b *blocker) add(pos token.Pos, what, advice string) {
	b.f.blocked = append(b.f.blocked, block{pos: pos, what: what, advice: advice})
}

// call adds a call that blocks. Of a function of the package that blocks in several places, it adds
// the first.
func (b *blocker) call(call *ast.CallExpr) {
	f := b.callee(call)
	if f != nil {
		name := f.FullName()
		if generic, _, ok := strings.Cut(name, "["); ok { // (*ev.Queue[T]).SendWait
			name = generic + ")." + f.Name()
		}
		if a := instead(name); a != "" {
			b.add(call.Pos(), short(f), a)
			return
		}
		if ofConns[name] {
			b.f.blocked = append(b.f.blocked, block{pos: call.Pos(), what: types.ExprString(call.Fun), advice: advice.Blocks, ofConn: true})
			return
		}
	}
	g := b.resolve(call.Fun)
	if g == nil || isInline(call) {
		return
	}
	if by := b.blocks(g); len(by) > 0 {
		first := by[0]
		if first.in == "" {
			first.in = fmt.Sprintf(" in %s (%s)", types.ExprString(call.Fun), b.line(first.pos))
		}
		first.pos = call.Pos()
		b.f.blocked = append(b.f.blocked, first)
	}
}

// instead returns the advice for a function that blocks, or "".
func instead(name string) string {
	if a := blocking[name]; a != "" {
		return a
	}
	for pattern, a := range blocking {
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(name, prefix) {
			return a
		}
	}
	return ""
}

// short returns the name of a function as programs write it.
func short(f *types.Func) string {
	name := f.Name()
	if recv := f.Signature().Recv(); recv != nil {
		if n := named(recv.Type()); n != nil {
			name = n.Obj().Name() + "." + name
		}
	}
	return f.Pkg().Name() + "." + name
}

// selects adds a select without default, and visits the bodies of its cases.
func (b *blocker) selects(s *ast.SelectStmt) {
	waits := true
	for _, clause := range s.Body.List {
		if clause.(*ast.CommClause).Comm == nil {
			waits = false
		}
	}
	if waits {
		b.add(s.Pos(), "a select without default", advice.Receives)
	}
	for _, clause := range s.Body.List {
		for _, statement := range clause.(*ast.CommClause).Body {
			b.checker.visit(statement, b.visit)
		}
	}
}

// receive adds a receive from a channel.
func (b *blocker) receive(e *ast.UnaryExpr) {
	if call, ok := ast.Unparen(e.X).(*ast.CallExpr); ok {
		if f := b.callee(call); f != nil && (f.FullName() == "time.After" || f.FullName() == "time.Tick") {
			b.add(e.Pos(), "a receive from "+short(f), advice.Sleeps)
			return
		}
	}
	b.add(e.Pos(), "a receive from a channel", advice.Receives)
}

// frees reports whether the statement takes a token out of a channel with a buffer, which is then
// used as a semaphore: the token is there.
func (b *blocker) frees(e ast.Expr) bool {
	receive, ok := ast.Unparen(e).(*ast.UnaryExpr)
	return ok && receive.Op == token.ARROW && b.makes(receive.X, true)
}

// unbuffered reports whether all channels that the expression can be are made without a buffer.
func (b *blocker) unbuffered(e ast.Expr) bool { return b.makes(e, false) }

func (b *blocker) makes(e ast.Expr, buffered bool) bool {
	v := b.variable(e)
	if v == nil || len(b.values[v]) == 0 {
		return false
	}
	for _, value := range b.values[v] {
		if value.expr == nil || !value.single() {
			return false
		}
		call, ok := ast.Unparen(value.expr).(*ast.CallExpr)
		if !ok || len(call.Args) == 0 || !b.pass.TypesInfo.Types[call.Fun].IsBuiltin() {
			return false
		}
		size := len(call.Args) > 1 && types.ExprString(call.Args[1]) != "0"
		if size != buffered {
			return false
		}
	}
	return true
}

// asksLen reports whether the condition asks for the length of a channel.
func (b *blocker) asksLen(cond ast.Expr) (found bool) {
	if cond == nil {
		return false
	}
	ast.Inspect(cond, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && len(call.Args) == 1 && b.pass.TypesInfo.Types[call.Fun].IsBuiltin() {
			_, isChan := b.pass.TypesInfo.TypeOf(call.Args[0]).Underlying().(*types.Chan)
			found = found || isChan
		}
		return true
	})
	return found
}
