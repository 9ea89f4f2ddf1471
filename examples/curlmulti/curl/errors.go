package curl

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
)

// ErrClosed is returned by Start after Close.
var ErrClosed = errors.New("curl: closed")

// Code is a CURLcode, libcurl's number for the failure of a transfer. errors.Is
// finds it in the error of a transfer.
type Code int

// Some codes. There are others.
const (
	UnsupportedProtocol Code = C.CURLE_UNSUPPORTED_PROTOCOL
	MalformedURL        Code = C.CURLE_URL_MALFORMAT
	CouldNotResolve     Code = C.CURLE_COULDNT_RESOLVE_HOST
	CouldNotConnect     Code = C.CURLE_COULDNT_CONNECT
	PartialFile         Code = C.CURLE_PARTIAL_FILE
	TimedOut            Code = C.CURLE_OPERATION_TIMEDOUT
	GotNothing          Code = C.CURLE_GOT_NOTHING
	UntrustedServer     Code = C.CURLE_PEER_FAILED_VERIFICATION
)

// Error returns the number and libcurl's text for it.
func (c Code) Error() string {
	return fmt.Sprintf("curl: (%d) %s", int(c), C.GoString(C.curl_easy_strerror(C.CURLcode(c))))
}

// MultiCode is a CURLMcode, libcurl's number for the failure of a Multi.
type MultiCode int

// Error gives the number and libcurl's own words for it.
func (c MultiCode) Error() string {
	return fmt.Sprintf("curl: multi (%d) %s", int(c), C.GoString(C.curl_multi_strerror(C.CURLMcode(c))))
}
