package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/goevlib/ev"
)

// readyFigures measure one ready descriptor among others: a write, an iteration,
// and the read in the callback. The floor is the system calls alone.
func readyFigures() []figure {
	var figures []figure
	for _, n := range []int{10, 1000} {
		figures = append(figures, figure{
			group: "One ready descriptor", name: fmt.Sprintf("of %d", n), columns: []string{"ns/op"},
			targets: []target{{what: "ev", over: "write, epoll_wait, read", bound: 1.25, slack: 2}},
			rivals: []contestant{
				{"ev", oneReady(n, loopPoller)},
				{"write, epoll_wait, read", oneReady(n, barePoller)},
			},
		})
	}
	return figures
}

// poller watches descriptors. turn makes one look, and reads from the one that is
// ready.
type poller func(fds []int, read func(fd int)) (turn func() error, end func() error, err error)

func oneReady(n int, open poller) func(quick bool) ([]float64, error) {
	return func(quick bool) (values []float64, err error) {
		fds := make([]int, n)
		for i := range fds {
			if fds[i], err = unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC); err != nil {
				return nil, err
			}
		}
		word, reads, writes := []byte{7: 1}, 0, 0
		turn, end, err := open(fds, func(fd int) {
			if _, err := unix.Read(fd, word); err == nil {
				reads++
			}
		})
		if err != nil {
			return nil, err
		}
		ns := nsPerOp(quick, func(n int) {
			for i := range n {
				_, failed := unix.Write(fds[i%len(fds)], word)
				err = errors.Join(err, failed, turn())
			}
			writes += n
		})
		if reads != writes {
			err = errors.Join(err, fmt.Errorf("%d reads for %d writes", reads, writes))
		}
		return []float64{ns}, errors.Join(err, end())
	}
}

func loopPoller(fds []int, read func(fd int)) (func() error, func() error, error) {
	l, err := ev.New()
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		err = errors.Join(err, ev.NewIO(l, fd, ev.Read, func(w *ev.IO, _ ev.Events) { read(w.FD()) }).Start())
	}
	return l.RunNoWait, l.Close, err
}

func barePoller(fds []int, read func(fd int)) (func() error, func() error, error) {
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		err = errors.Join(err, unix.EpollCtl(epfd, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}))
	}
	var events [64]unix.EpollEvent
	turn := func() error {
		n, err := unix.EpollWait(epfd, events[:], 0)
		for i := range n {
			read(int(events[i].Fd))
		}
		return err
	}
	return turn, func() error { return unix.Close(epfd) }, err
}
