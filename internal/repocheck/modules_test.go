package repocheck

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// ownWorkspace is the module that needs a newer Go than go.work allows.
const ownWorkspace = "internal/toolproof"

// version is a module at a version, or in a folder.
type version struct{ Path, Version string }

type replacement struct{ Old, New version }

// A module with a replace cannot be installed by its version. A module of this repository
// that is not found by the workspace cannot be worked on.
func TestEveryModuleIsInTheWorkspaceAndNeedsNoReplace(t *testing.T) {
	atRoot(t)
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	for dir, modules := range workspaces(t) {
		var work struct {
			Use     []struct{ DiskPath string }
			Replace []replacement
		}
		parse(t, "work", path.Join(dir, "go.work"), &work)
		used, replaced := map[string]bool{}, map[version]string{}
		for _, use := range work.Use {
			used[path.Join(dir, use.DiskPath)] = true
		}
		for _, r := range work.Replace {
			replaced[r.Old] = path.Join(dir, r.New.Path)
		}
		for _, module := range modules {
			assert.True(t, used[module], "%s/go.work does not use ./%s: go work use %s", dir, module, module)
			var mod struct {
				Module  struct{ Path string }
				Require []version
				Replace []replacement
			}
			parse(t, "mod", path.Join(module, "go.mod"), &mod)
			assert.Equal(t, path.Join("github.com/goevlib/ev", module), mod.Module.Path)
			assert.Empty(t, mod.Replace, "%s/go.mod", module)
			for _, r := range mod.Require {
				if r.Path == "github.com/goevlib/ev" || strings.HasPrefix(r.Path, "github.com/goevlib/ev/") {
					folder := strings.TrimPrefix(r.Path[len("github.com/goevlib/ev"):], "/")
					assert.Equal(t, path.Clean(folder), replaced[r], "%s/go.work has no replace of %v", dir, r)
				}
			}
		}
	}
}

// workspaces returns the folders of modules, by the folder of their go.work.
func workspaces(t *testing.T) map[string][]string {
	found := map[string][]string{}
	require.NoError(t, filepath.WalkDir(".", func(file string, _ fs.DirEntry, err error) error {
		if filepath.Base(file) == "go.mod" {
			dir, in := path.Dir(filepath.ToSlash(file)), "."
			if dir == ownWorkspace {
				in = dir
			}
			found[in] = append(found[in], dir)
		}
		return err
	}))
	return found
}

func parse(t *testing.T, kind, file string, to any) {
	t.Helper()
	_, err := os.ReadFile(file) // go test sees that the result depends on it
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), "go", kind, "edit", "-json", file).Output()
	require.NoError(t, err, file)
	require.NoError(t, json.Unmarshal(out, to))
}
