//go:build cgo

package redis

// #include "shim.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unsafe"
)

// ServerError is the server's answer to a command that it refuses, such as "WRONGTYPE …".
type ServerError string

func (e ServerError) Error() string { return "redis: " + string(e) }

// replies is the records of replies that C has noted.
type replies []byte

// take decodes the first reply: nil, an int64, a string, a ServerError, or a []any of these.
func (r *replies) take() any {
	kind := binary.NativeEndian.Uint64((*r)[:8])
	number := int64(binary.NativeEndian.Uint64((*r)[8:16]))
	*r = (*r)[16:]
	switch kind {
	case C.REDIS_REPLY_INTEGER:
		return number
	case C.REDIS_REPLY_STRING, C.REDIS_REPLY_STATUS:
		return string(r.bytes(number))
	case C.REDIS_REPLY_ERROR:
		return ServerError(r.bytes(number))
	case C.REDIS_REPLY_ARRAY:
		all := make([]any, number)
		for i := range all {
			all[i] = r.take()
		}
		return all
	}
	return nil
}

func (r *replies) bytes(n int64) (b []byte) {
	b, *r = (*r)[:n], (*r)[n:]
	return b
}

// appendCommand appends a command in Redis's protocol, and its length before it.
func appendCommand(b []byte, args ...string) []byte {
	start := len(b)
	b = append(b, make([]byte, unsafe.Sizeof(C.size_t(0)))...)
	body := len(b)
	b = appendHead(b, '*', len(args))
	for _, arg := range args {
		b = appendHead(b, '$', len(arg))
		b = append(b, arg...)
		b = append(b, "\r\n"...)
	}
	*(*C.size_t)(unsafe.Pointer(&b[start])) = C.size_t(len(b) - body)
	return b
}

func appendHead(b []byte, kind byte, n int) []byte {
	b = strconv.AppendInt(append(b, kind), int64(n), 10)
	return append(b, "\r\n"...)
}

// check refuses commands that are not answered by one reply.
func check(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("redis: no command")
	}
	switch name := strings.ToUpper(args[0]); name {
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE", "MONITOR":
		return fmt.Errorf("redis: a Client cannot %s: use a Subscriber", name)
	}
	return nil
}
