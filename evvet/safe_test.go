package evvet

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goevlib/ev"
)

// After a renaming, calls of the method would be reported.
func TestEverySafeMethodIsAMethodOfEv(t *testing.T) {
	types := map[string]reflect.Type{
		"Async": reflect.TypeFor[*ev.Async](), "Queue": reflect.TypeFor[*ev.Queue[int]](),
		"Signal": reflect.TypeFor[*ev.Signal](), "Child": reflect.TypeFor[*ev.Child](),
		"Stat": reflect.TypeFor[*ev.Stat](), "Embed": reflect.TypeFor[*ev.Embed](), "Task": reflect.TypeFor[*ev.Task](),
		"Mailbox": reflect.TypeFor[*ev.Mailbox[int]](),
		"Loop":    reflect.TypeFor[*ev.Loop](), "Watcher": reflect.TypeFor[ev.Watcher](),
	}
	check := func(kind, method string) {
		require.Contains(t, types, kind)
		_, ok := types[kind].MethodByName(method)
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
	for method, doc := range methodsOfLoopAndWatchers(t) {
		if owners[method] {
			continue
		}
		if concurrent.MatchString(strings.Join(strings.Fields(doc), " ")) {
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

// methodsOfLoopAndWatchers returns the documentation of the exported methods, by Type.Method of the
// type that declares them.
func methodsOfLoopAndWatchers(t *testing.T) map[string]string {
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	docs, embeds := make(map[string]string), make(map[string][]string)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil && d.Name.IsExported() {
					docs[nameOf(d.Recv.List[0].Type)+"."+d.Name.Name] = d.Doc.Text()
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok {
						embeds[s.Name.Name] = embedded(s)
					}
				}
			}
		}
	}
	for method := range docs {
		kind, _, _ := strings.Cut(method, ".")
		if others := []string{"Loop", "Cond", "Mailbox", "Group"}; !slices.Contains(others, kind) && !isWatcher(kind, embeds) {
			delete(docs, method)
		}
	}
	return docs
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
