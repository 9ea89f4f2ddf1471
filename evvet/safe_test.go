package evvet

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"

	"github.com/goevlib/ev"
	"github.com/goevlib/ev/evtime"
)

// After a renaming, calls of the method would be reported.
func TestEverySafeMethodIsAMethodOfEv(t *testing.T) {
	kinds := map[string]reflect.Type{
		"Async": reflect.TypeFor[*ev.Async](), "Queue": reflect.TypeFor[*ev.Queue[int]](),
		"Signal": reflect.TypeFor[*ev.Signal](), "Child": reflect.TypeFor[*ev.Child](),
		"Stat": reflect.TypeFor[*ev.Stat](), "Embed": reflect.TypeFor[*ev.Embed](), "Task": reflect.TypeFor[*ev.Task](),
		"Mailbox": reflect.TypeFor[*ev.Mailbox[int]](), "Attempt": reflect.TypeFor[*evtime.Attempt](),
		"Loop": reflect.TypeFor[*ev.Loop](), "Watcher": reflect.TypeFor[ev.Watcher](),
	}
	check := func(kind, method string) {
		require.Contains(t, kinds, kind)
		_, ok := kinds[kind].MethodByName(method)
		assert.True(t, ok, "%s has no method %s", kind, method)
	}
	for name := range safe {
		kind, method, _ := strings.Cut(name, ".")
		check(kind, method)
	}
	for method := range common {
		check("Watcher", method)
	}
}

// owners has the methods that make the calling goroutine the loop's.
var owners = map[string]bool{"Loop.Run": true, "Loop.RunOnce": true, "Loop.RunNoWait": true}

// concurrent matches the documentation of a method that is safe for concurrent use.
var concurrent = regexp.MustCompile(`(?i)any goroutine( but the loop's own)? (may|can) (call|use)|from any goroutine|concurrent use`)

// A safe method that is missing in the list would be reported though it is used as documented. A
// method that is listed by mistake would never be reported.
func TestTheSafeMethodsAreDocumentedAsSuch(t *testing.T) {
	var documented, known []string
	docs := methodsOfLoopAndWatchers(t)
	maps.Copy(docs, documentation(t, "../evtime"))
	for method, doc := range docs {
		if strings.Contains(method, ".") && !owners[method] && concurrent.MatchString(doc) {
			documented = append(documented, method)
		}
	}
	for name := range safe {
		if !owners[name] {
			known = append(known, name)
		}
	}
	for method := range common {
		known = append(known, "watcher."+method)
	}
	slices.Sort(documented)
	slices.Sort(known)
	assert.Equal(t, documented, known)
	assert.Greater(t, len(documented), 20)
}

// waitsForTheLoop matches the documentation of a function that waits for the loop.
var waitsForTheLoop = regexp.MustCompile(`but the loop's own|loop's own goroutine it would wait`)

// A function that must not be called on the loop's goroutine, because it waits for the loop, is
// reported in callbacks, and no other function of ev is.
func TestTheFunctionsThatWaitForTheLoopAreReported(t *testing.T) {
	var documented, known []string
	for dir, path := range map[string]string{"..": evPath, "../evmeter": evPath + "/evmeter"} {
		for name, doc := range documentation(t, dir) {
			if waitsForTheLoop.MatchString(doc) {
				documented = append(documented, path+"."+name)
			}
		}
	}
	for name := range blocking {
		if strings.Contains(name, evPath) {
			known = append(known, strings.NewReplacer("(", "", "*", "", ")", "").Replace(name))
		}
	}
	slices.Sort(documented)
	slices.Sort(known)
	assert.Equal(t, documented, known)
}

// The waits of tasks are those that the documentation of Task, Cond, Mailbox and Group calls so,
// and Await.
func TestTheWaitsAreMethodsOfEv(t *testing.T) {
	docs, found := documentation(t, ".."), 0
	for name := range waits {
		assert.Contains(t, docs, name)
	}
	for name, doc := range docs {
		kind, _, _ := strings.Cut(name, ".")
		if slices.Contains([]string{"Task", "Cond", "Mailbox", "Group"}, kind) && aWait.MatchString(doc) {
			assert.True(t, waits[name], "%s is not among the waits", name)
			found++
		}
	}
	assert.GreaterOrEqual(t, found, 4)
}

var aWait = regexp.MustCompile(`^\w+ (waits|suspends)`)

// All functions of the standard library that the tables of blocking calls name exist.
func TestWhatBlocksExists(t *testing.T) {
	names := slices.Concat(slices.Collect(maps.Keys(blocking)), slices.Collect(maps.Keys(ofConns)), slices.Collect(maps.Keys(writes)))
	paths := make(map[string]bool)
	for _, name := range names {
		if path, _, _ := parts(name); !strings.Contains(path, ".") {
			paths[path] = true
		}
	}
	config := &packages.Config{Mode: packages.NeedName | packages.NeedTypes | packages.NeedExportFile}
	loaded, err := packages.Load(config, slices.Collect(maps.Keys(paths))...)
	require.NoError(t, err)
	library := make(map[string]*types.Package)
	for _, p := range loaded {
		library[p.PkgPath] = p.Types
	}
	for _, name := range names {
		path, kind, function := parts(name)
		if paths[path] && kind != "conn" { // which is not exported
			assert.True(t, exists(library[path], kind, function), "there is no %s", name)
		}
	}
}

// parts splits (*net/http.Client).Get into net/http, Client and Get.
func parts(name string) (path, kind, function string) {
	name = strings.NewReplacer("(", "", ")", "").Replace(strings.TrimPrefix(name, "(*"))
	slash := strings.LastIndex(name, "/") + 1
	names := strings.Split(name[slash:], ".")
	path, function = name[:slash]+names[0], names[len(names)-1]
	if len(names) == 3 {
		kind = names[1]
	}
	return path, kind, function
}

// exists reports whether the package has the function, or for a * any with that beginning.
func exists(p *types.Package, kind, function string) bool {
	names := p.Scope().Names()
	if kind != "" {
		o := p.Scope().Lookup(kind)
		if o == nil {
			return false
		}
		names = nil
		for _, t := range []types.Type{o.Type(), types.NewPointer(o.Type())} {
			for m := range types.NewMethodSet(t).Methods() {
				names = append(names, m.Obj().Name())
			}
		}
	}
	prefix, wild := strings.CutSuffix(function, "*")
	return slices.ContainsFunc(names, func(name string) bool {
		return name == function || wild && strings.HasPrefix(name, prefix)
	})
}

// methodsOfLoopAndWatchers returns the documentation of the exported methods, by Type.Method of the
// type that declares them.
func methodsOfLoopAndWatchers(t *testing.T) map[string]string {
	docs, embeds := documentation(t, ".."), embedding(t, "..")
	for method := range docs {
		kind, _, _ := strings.Cut(method, ".")
		if others := []string{"Loop", "Cond", "Mailbox", "Group"}; !slices.Contains(others, kind) && !isWatcher(kind, embeds) {
			delete(docs, method)
		}
	}
	return docs
}

// documentation returns that of the exported functions and methods of a package, each in one line,
// by Type.Method of the type that declares a method.
func documentation(t *testing.T, dir string) map[string]string {
	docs := make(map[string]string)
	for _, d := range declarations(t, dir) {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !f.Name.IsExported() {
			continue
		}
		name := f.Name.Name
		if f.Recv != nil {
			name = nameOf(f.Recv.List[0].Type) + "." + name
		}
		docs[name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
	}
	return docs
}

// embedding returns the types that each struct of a package embeds.
func embedding(t *testing.T, dir string) map[string][]string {
	embeds := make(map[string][]string)
	for _, d := range declarations(t, dir) {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			if s, ok := s.(*ast.TypeSpec); ok {
				embeds[s.Name.Name] = embedded(s)
			}
		}
	}
	return embeds
}

func declarations(t *testing.T, dir string) (all []ast.Decl) {
	files, err := filepath.Glob(dir + "/*.go")
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		all = append(all, file.Decls...)
	}
	return all
}

// embedded returns the names of the types that a struct embeds.
func embedded(s *ast.TypeSpec) (names []string) {
	if fields, ok := s.Type.(*ast.StructType); ok {
		for _, f := range fields.Fields.List {
			if len(f.Names) == 0 {
				names = append(names, nameOf(f.Type))
			}
		}
	}
	return names
}

func isWatcher(kind string, embeds map[string][]string) bool {
	return kind == "watcher" || slices.ContainsFunc(embeds[kind], func(of string) bool { return isWatcher(of, embeds) })
}

// nameOf returns the name of a receiver's type or of an embedded type.
func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return nameOf(e.X)
	case *ast.IndexExpr:
		return nameOf(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
