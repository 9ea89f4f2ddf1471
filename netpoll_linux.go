package ev

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

var backends = []Backend{BackendEpoll, BackendChan}

// openWake makes an eventfd. It must be non-blocking before os.NewFile sees it:
// else the file is not given to the runtime's poller.
func openWake() (file, wakes *os.File, err error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("eventfd", err)
	}
	file = os.NewFile(uintptr(fd), "ev-wake")
	return file, file, nil
}

var one = binary.NativeEndian.AppendUint64(nil, 1)

// signalWake adds one to the counter. Each write is an edge, so nobody reads
// the counter: it would overflow after 2^64 wake-ups.
func signalWake(fd uintptr) {
	for {
		if _, err := unix.Write(int(fd), one); err != unix.EINTR {
			return
		}
	}
}

func drainWake(uintptr) {}
