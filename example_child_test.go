//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package ev_test

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/goevlib/ev"
)

// A Child tells of the exit. It reaps nothing: Wait works as ever.
func ExampleChild() {
	loop, _ := ev.New()
	defer loop.Close()
	cmd := exec.Command("sh", "-c", "exit 3")
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	child := ev.NewChild(loop, cmd.Process.Pid, func(c *ev.Child) {
		fmt.Println("exited with", c.Status().ExitStatus())
		fmt.Println("Wait says", cmd.Wait())
		c.Stop()
	})
	if err := child.Start(); err != nil {
		panic(err)
	}
	_ = loop.Run(context.Background())
	// Output:
	// exited with 3
	// Wait says exit status 3
}
