package host

import (
	"fmt"

	"github.com/dop251/goja_nodejs/console"
	"github.com/dop251/goja_nodejs/require"
)

// enableConsole installs goja_nodejs's console, which prints to the host's
// writers. Their errors are ignored.
func (h *Host) enableConsole(registry *require.Registry) {
	registry.RegisterNativeModule(console.ModuleName, console.RequireWithPrinter(console.StdPrinter{
		StdoutPrint: func(s string) { fmt.Fprintln(h.Stdout, s) },
		StderrPrint: func(s string) { fmt.Fprintln(h.Stderr, s) },
	}))
	console.Enable(h.vm)
}
