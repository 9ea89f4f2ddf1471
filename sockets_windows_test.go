package ev_test

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// What the tests do with sockets, as in sockets_unix_test.go.

// arrivesAtOnce is false: TCP delivers data later, and the driver reports that still later.
const arrivesAtOnce = false

var (
	winsock     = windows.NewLazySystemDLL("ws2_32.dll")
	ioctlsocket = winsock.NewProc("ioctlsocket")
	wsaAccept   = winsock.NewProc("accept")
)

func openSocketpair(t testing.TB) (a, b int) {
	t.Helper()
	listener := openSocket(t, windows.SOCK_STREAM)
	defer func() { _ = windows.Closesocket(listener) }()
	require.NoError(t, windows.Listen(listener, 1))
	name, err := windows.Getsockname(listener)
	require.NoError(t, err)
	client, err := windows.Socket(windows.AF_INET, windows.SOCK_STREAM, 0)
	require.NoError(t, err)
	require.NoError(t, windows.Connect(client, name))
	server, _, err := wsaAccept.Call(uintptr(listener), 0, 0)
	require.NotEqual(t, uintptr(windows.InvalidHandle), server, err)
	for _, h := range []windows.Handle{client, windows.Handle(server)} {
		setNonblock(t, h)
		require.NoError(t, windows.SetsockoptInt(h, windows.IPPROTO_TCP, windows.TCP_NODELAY, 1))
	}
	return int(client), int(server)
}

// openSocket returns a socket with an address.
func openSocket(t testing.TB, kind int) windows.Handle {
	t.Helper()
	_, _ = net.InterfaceByIndex(1) // package net initializes Winsock
	h, err := windows.Socket(windows.AF_INET, kind, 0)
	require.NoError(t, err)
	require.NoError(t, windows.Bind(h, &windows.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	return h
}

// udpPair returns two UDP sockets, each connected to the other. Package net cannot make any under
// Wine 8, which lacks SIO_UDP_NETRESET.
func udpPair(t testing.TB) (a, b int) {
	t.Helper()
	var hs [2]windows.Handle
	var names [2]windows.Sockaddr
	for i := range hs {
		hs[i] = openSocket(t, windows.SOCK_DGRAM)
		t.Cleanup(func() { _ = windows.Closesocket(hs[i]) })
		setNonblock(t, hs[i])
		var err error
		names[i], err = windows.Getsockname(hs[i])
		require.NoError(t, err)
	}
	require.NoError(t, windows.Connect(hs[0], names[1]))
	require.NoError(t, windows.Connect(hs[1], names[0]))
	return int(hs[0]), int(hs[1])
}

func setNonblock(t testing.TB, h windows.Handle) {
	t.Helper()
	const fionbio = 0x8004667e
	on := uint32(1)
	failed, _, err := ioctlsocket.Call(uintptr(h), fionbio, uintptr(unsafe.Pointer(&on)))
	require.Zero(t, failed, err)
}

func closeFD(fd int) error { return windows.Closesocket(windows.Handle(fd)) }

func readFD(fd int, p []byte) (int, error) {
	var n, flags uint32
	err := windows.WSARecv(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(p)), Buf: &p[0]}, 1, &n, &flags, nil, nil)
	return int(n), again(err)
}

func writeFD(fd int, p []byte) (int, error) {
	var n uint32
	err := windows.WSASend(windows.Handle(fd), &windows.WSABuf{Len: uint32(len(p)), Buf: &p[0]}, 1, &n, 0, nil, nil)
	return int(n), again(err)
}

func again(err error) error {
	if err == windows.WSAEWOULDBLOCK {
		return syscall.EAGAIN
	}
	return err
}

func shutdownWrite(fd int) error { return windows.Shutdown(windows.Handle(fd), windows.SHUT_WR) }
func dupFD(int) (int, error)     { return 0, errors.ErrUnsupported }

func devNull(t testing.TB) int {
	file, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return int(file.Fd())
}
