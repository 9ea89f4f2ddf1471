package ev_test

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// The program's main loop is around poll(2). It polls the loop's descriptor beside its own.
func ExampleLoop_PollFD() {
	loop, _ := ev.New()
	defer loop.Close()
	async := ev.NewAsync(loop, func(a *ev.Async) {
		fmt.Println("a Send")
		a.Stop()
	})
	async.Start()
	ev.NewTimer(loop, 10*time.Millisecond, 0, func(*ev.Timer) {
		fmt.Println("a Timer")
		go async.Send()
	}).Start()

	fd, err := loop.PollFD()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for err == nil && loop.Alive() {
		if n, _ := unix.Poll(fds, -1); n > 0 {
			err = loop.RunNoWait()
		}
	}
	fmt.Println(err)
	// Output:
	// a Timer
	// a Send
	// <nil>
}
