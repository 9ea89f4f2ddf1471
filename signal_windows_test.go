package ev_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/windows"

	"github.com/goevlib/ev"
)

var setConsoleCtrlHandler = windows.NewLazySystemDLL("kernel32.dll").NewProc("SetConsoleCtrlHandler")

// A child with a console of its own presses Ctrl-C there. It may have inherited that the key is
// ignored.
func TestCtrlCIsSIGINT(t *testing.T) {
	if os.Getenv("EV_TEST_CTRL_C") == "1" {
		os.Stdout.WriteString(pressCtrlC())
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCtrlCIsSIGINT$")
	cmd.Env = append(os.Environ(), "EV_TEST_CTRL_C=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_CONSOLE, HideWindow: true}
	out, err := cmd.Output()
	if strings.HasPrefix(string(out), "no console") {
		t.Skip(string(out))
	}
	assert.NoError(t, err)
	assert.Equal(t, "SIGINT", string(out))
}

func pressCtrlC() string {
	l, err := ev.New()
	if err != nil {
		return err.Error()
	}
	defer l.Close()
	result := "nothing"
	s := ev.NewSignal(l, syscall.SIGINT, func(s *ev.Signal) {
		result = "SIGINT"
		s.Stop()
	})
	if err := s.Start(); err != nil {
		return err.Error()
	}
	if ok, _, err := setConsoleCtrlHandler.Call(0, 0); ok == 0 {
		return err.Error()
	}
	if err := windows.GenerateConsoleCtrlEvent(windows.CTRL_C_EVENT, 0); err != nil {
		return "no console: " + err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_ = l.Run(ctx)
	return result
}
