// Windows has symbolic links for administrators only, and Wine 8 has none.

//go:build unix

package ev_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goevlib/ev"
)

// Kubernetes updates the files of a ConfigMap by swapping a link on the way to them.
func ExampleFollow() {
	dir, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(dir)
	for _, version := range []string{"v1", "v2"} {
		_ = os.Mkdir(filepath.Join(dir, version), 0o700)
		_ = os.WriteFile(filepath.Join(dir, version, "app.conf"), []byte(version), 0o600)
	}
	data, conf := filepath.Join(dir, "data"), filepath.Join(dir, "app.conf")
	_ = os.Symlink("v1", data)
	_ = os.Symlink("data/app.conf", conf)

	loop, _ := ev.New()
	defer loop.Close()
	s := ev.NewStat(loop, conf, 0, func(s *ev.Stat) {
		content, err := os.ReadFile(s.Path())
		fmt.Println(string(content), err)
		s.Stop()
	}, ev.Follow(true))
	if err := s.Start(); err != nil {
		fmt.Println(err)
	}

	_ = os.Symlink("v2", data+".new")
	_ = os.Rename(data+".new", data)
	loop.Run(context.Background())
	// Output: v2 <nil>
}
