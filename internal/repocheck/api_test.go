package repocheck

import (
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/api.txt anew")

// testdata/api.txt lists the exported names, so a change of the API shows as a change
// of that file. A line that goes or changes breaks programs. A new line is promised
// from then on.
func TestTheExportedAPIIsTheOneWrittenDown(t *testing.T) {
	atRoot(t)
	if _, err := exec.LookPath("go"); err != nil || runtime.GOOS != "linux" {
		t.Skip("needs the go command, and Linux, whose API is the one written down")
	}
	const golden = "testdata/api.txt"
	var lines []string
	compiled := importer.ForCompiler(token.NewFileSet(), "gc", exportData(t))
	for _, name := range []string{"", "/evmeter", "/evflight", "/evexpvar", "/evnet", "/evtime"} {
		pkg, err := compiled.Import("github.com/goevlib/ev" + name)
		require.NoError(t, err)
		lines = append(lines, exported(pkg)...)
	}
	slices.Sort(lines)
	got := strings.Join(lines, "\n") + "\n"
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(golden), 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	written := strings.Split(strings.TrimSuffix(string(want), "\n"), "\n")
	gone, come := without(written, lines), without(lines, written)
	if len(gone)+len(come) > 0 {
		t.Errorf("the exported API has changed. Gone, or another now, which breaks programs:\n\t%s\nNew:\n\t%s\n"+
			"If that is meant: go test ./internal/repocheck -run %s -update, and a line in CHANGELOG.md",
			strings.Join(gone, "\n\t"), strings.Join(come, "\n\t"), t.Name())
	}
}

func TestAChangeOfTheAPIShowsAsWhatIsGoneAndWhatIsNew(t *testing.T) {
	before, after := []string{"func A()", "func B()"}, []string{"func A() error", "func B()"}
	assert.Equal(t, []string{"func A()"}, without(before, after))
	assert.Equal(t, []string{"func A() error"}, without(after, before))
}

// exportData finds the compiler's export data of the packages and of their imports.
func exportData(t *testing.T) importer.Lookup {
	list := exec.Command("go", "list", "-deps", "-export", "-f", "{{.ImportPath}} {{.Export}}", "./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	require.NoError(t, err)
	files := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[path] = file
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
}

// without returns the elements of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(line string) bool { return slices.Contains(b, line) })
}

// exported returns a line for each exported name of a package, each field of its
// structs and each method, also of embedded types.
func exported(pkg *types.Package) (lines []string) {
	add := func(format string, args ...any) {
		lines = append(lines, pkg.Name()+": "+fmt.Sprintf(format, args...))
	}
	text := func(t types.Type) string { return types.TypeString(t, (*types.Package).Name) }
	for _, name := range pkg.Scope().Names() {
		switch o := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			if o.Exported() {
				add("const %s %s = %s", name, text(o.Type()), o.Val().ExactString())
			}
		case *types.TypeName:
			if o.Exported() {
				add("type %s", typeLine(o, text))
				for _, m := range members(o.Type()) {
					add("type %s, %s %s", name, m.Name(), text(m.Type()))
				}
			}
		default:
			if o.Exported() {
				add("%s", types.ObjectString(o, (*types.Package).Name))
			}
		}
	}
	return lines
}

// typeLine leaves out the members of structs and interfaces: they have lines of their
// own.
func typeLine(o *types.TypeName, text func(types.Type) string) string {
	inside := text(o.Type().Underlying())
	switch o.Type().Underlying().(type) {
	case *types.Struct:
		inside = "struct"
	case *types.Interface:
		inside = "interface"
	}
	return text(o.Type()) + " " + inside
}

// members are a type's exported fields and the methods of a pointer to it.
func members(t types.Type) (found []types.Object) {
	if s, ok := t.Underlying().(*types.Struct); ok {
		for f := range s.Fields() {
			found = append(found, f)
		}
	}
	if !types.IsInterface(t) {
		t = types.NewPointer(t)
	}
	for m := range types.NewMethodSet(t).Methods() {
		found = append(found, m.Obj())
	}
	return slices.DeleteFunc(found, func(o types.Object) bool { return !o.Exported() })
}
