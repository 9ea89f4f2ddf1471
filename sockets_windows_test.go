package ev_test

import (
	"net"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// udpPair returns two UDP sockets, each connected to the other. Package net cannot make UDP
// sockets under Wine 8, which lacks SIO_UDP_NETRESET.
func udpPair(t testing.TB) (a, b int) {
	t.Helper()
	_, _ = net.InterfaceByIndex(1) // package net initializes Winsock
	var fds [2]windows.Handle
	var names [2]windows.Sockaddr
	for i := range fds {
		fd, err := windows.Socket(windows.AF_INET, windows.SOCK_DGRAM, 0)
		require.NoError(t, err)
		t.Cleanup(func() { _ = windows.Closesocket(fd) })
		require.NoError(t, windows.Bind(fd, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		names[i], err = windows.Getsockname(fd)
		require.NoError(t, err)
		fds[i] = fd
		setNonblock(t, int(fd))
	}
	require.NoError(t, windows.Connect(fds[0], names[1]))
	require.NoError(t, windows.Connect(fds[1], names[0]))
	return int(fds[0]), int(fds[1])
}

var ioctlsocket = windows.NewLazySystemDLL("ws2_32.dll").NewProc("ioctlsocket")

func setNonblock(t testing.TB, fd int) {
	t.Helper()
	const fionbio = 0x8004667e
	var on uint32 = 1
	r, _, err := ioctlsocket.Call(uintptr(fd), fionbio, uintptr(unsafe.Pointer(&on)))
	require.Zero(t, r, err)
}

func closeFD(fd int) error { return windows.Closesocket(windows.Handle(fd)) }

func readFD(fd int, p []byte) (int, error) {
	var n, flags uint32
	err := windows.WSARecv(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(p)), Buf: &p[0]}, 1, &n, &flags, nil, nil)
	if err == windows.WSAEWOULDBLOCK {
		err = syscall.EAGAIN
	}
	return int(n), err
}

func writeFD(fd int, p []byte) (int, error) {
	var n uint32
	err := windows.WSASend(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(p)), Buf: &p[0]}, 1, &n, 0, nil, nil)
	if err == windows.WSAEWOULDBLOCK {
		err = syscall.EAGAIN
	}
	return int(n), err
}

func shutdownWrite(fd int) error {
	return windows.Shutdown(windows.Handle(fd), windows.SHUT_WR)
}
