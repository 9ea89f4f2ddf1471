package afd

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/goevlib/ev/internal/descriptor"
)

var (
	ntdll                       = windows.NewLazySystemDLL("ntdll.dll")
	ntDeviceIoControlFile       = ntdll.NewProc("NtDeviceIoControlFile")
	ntCancelIoFileEx            = ntdll.NewProc("NtCancelIoFileEx")
	kernel32                    = windows.NewLazySystemDLL("kernel32.dll")
	getQueuedCompletionStatusEx = kernel32.NewProc("GetQueuedCompletionStatusEx")
)

const (
	ioctlPoll        = 0x00012024 // IOCTL_AFD_POLL
	pollInfoSize     = 32         // sizeof(AFD_POLL_INFO), on 386 too
	sioBaseHandle    = 0x48000022 // SIO_BASE_HANDLE
	sioBSPHandlePoll = 0x4800001d // SIO_BSP_HANDLE_POLL
)

// unlimited is how many threads of a port may run (note h).
const unlimited = math.MaxUint32

// perDevice is how many requests share an open file of the driver (note f).
const perDevice = 32

// port is a completion port and the open files of the driver.
type port struct {
	port    windows.Handle
	devices []windows.Handle
}

// Open makes an empty set. Wake is called on the helper's goroutine: see AwaitWake. If nothing
// waits, a call of wake must end the next wait.
func Open(wake func()) (*Set, error) {
	h, err := windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, unlimited)
	if err != nil {
		return nil, os.NewSyscallError("CreateIoCompletionPort", err)
	}
	p := &port{port: h}
	if err := p.grow(1); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return newSet(p, wake), nil
}

// grow opens the driver once more, if need be.
func (p *port) grow(number uint32) error {
	if int(number-1)/perDevice < len(p.devices) {
		return nil
	}
	device, err := openDevice()
	if err != nil {
		return fmt.Errorf("open the socket driver: %w", err)
	}
	_, err = windows.CreateIoCompletionPort(device, p.port, 0, 0)
	if err == nil {
		err = windows.SetFileCompletionNotificationModes(device,
			windows.FILE_SKIP_COMPLETION_PORT_ON_SUCCESS|windows.FILE_SKIP_SET_EVENT_ON_HANDLE)
	}
	if err != nil {
		_ = windows.CloseHandle(device)
		return fmt.Errorf("open the socket driver: %w", err)
	}
	p.devices = append(p.devices, device)
	return nil
}

func openDevice() (device windows.Handle, err error) {
	name, err := windows.NewNTUnicodeString(`\Device\Afd\ev`)
	if err != nil {
		return 0, err
	}
	attributes := windows.OBJECT_ATTRIBUTES{ObjectName: name}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	var block windows.IO_STATUS_BLOCK
	err = windows.NtCreateFile(&device, windows.SYNCHRONIZE, &attributes, &block, nil, 0,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE, windows.FILE_OPEN, 0, 0, 0)
	return device, err
}

func (p *port) device(r *request) uintptr { return uintptr(p.devices[(r.number-1)/perDevice]) }

// base checks the handle first: Wine returns any handle as its own base.
func (p *port) base(socket int) (uintptr, error) {
	if err := descriptor.Check(socket); err != nil {
		return 0, err
	}
	for h := windows.Handle(socket); ; {
		base, err := ask(h, sioBaseHandle)
		if err == nil {
			return uintptr(base), nil
		}
		below, e := ask(h, sioBSPHandlePoll)
		if e != nil || below == h {
			return 0, os.NewSyscallError("WSAIoctl", err)
		}
		h = below
	}
}

// ask asks the provider of a socket for another handle of it.
func ask(socket windows.Handle, code uint32) (other windows.Handle, err error) {
	var n uint32
	err = windows.WSAIoctl(socket, code, nil, 0, (*byte)(unsafe.Pointer(&other)), uint32(unsafe.Sizeof(other)), &n, nil, 0)
	return other, err
}

func (p *port) start(r *request) (started bool) {
	status, _, _ := syscall.SyscallN(ntDeviceIoControlFile.Addr(), p.device(r), 0, 0, uintptr(r.number),
		uintptr(unsafe.Pointer(&r.block)), ioctlPoll, uintptr(unsafe.Pointer(&r.info)), pollInfoSize,
		uintptr(unsafe.Pointer(&r.info)), pollInfoSize)
	if uint32(status) == statusPending {
		return true
	}
	if uint32(status) != statusSuccess { // the block may not be filled then
		r.block.status = status
	}
	return false
}

func (p *port) cancel(r *request) {
	var block statusBlock
	_, _, _ = syscall.SyscallN(ntCancelIoFileEx.Addr(), p.device(r),
		uintptr(unsafe.Pointer(&r.block)), uintptr(unsafe.Pointer(&block)))
}

func (p *port) take(done []packet, wait bool) int {
	limit := uint32(0)
	if wait {
		limit = windows.INFINITE
	}
	var n uint32
	ok, _, _ := syscall.SyscallN(getQueuedCompletionStatusEx.Addr(), uintptr(p.port), uintptr(unsafe.Pointer(&done[0])),
		uintptr(len(done)), uintptr(unsafe.Pointer(&n)), uintptr(limit), 0)
	if ok == 0 {
		return 0
	}
	return int(n)
}

func (p *port) interrupt() error {
	return os.NewSyscallError("PostQueuedCompletionStatus", windows.PostQueuedCompletionStatus(p.port, 0, 0, nil))
}

func (p *port) close() error {
	var errs []error
	for _, h := range append(p.devices, p.port) {
		errs = append(errs, os.NewSyscallError("CloseHandle", windows.CloseHandle(h)))
	}
	return errors.Join(errs...)
}
