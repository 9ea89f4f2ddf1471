package afd

import "math"

// The conditions of a poll: AFD_POLL_RECEIVE and so on.
const (
	receive     = 0x001
	send        = 0x004
	disconnect  = 0x008 // the peer has shut down its sending
	abort       = 0x010 // the connection was reset
	localClose  = 0x020
	accept      = 0x080
	connectFail = 0x100

	toRead  = receive | accept | disconnect | abort | connectFail
	toWrite = send | abort | connectFail
)

// forever is a poll's time limit.
const forever = math.MaxInt64

// What a status says: success, STATUS_CANCELLED, and the failures of a handle that is closed or
// denotes something else than a socket by now (note d).
const (
	statusSuccess        = 0
	statusPending        = 0x00000103
	statusCancelled      = 0xC0000120
	statusInvalidHandle  = 0xC0000008
	statusObjectMismatch = 0xC0000024
	statusNotSupported   = 0xC00000BB
	severityError        = 0xC0000000
)

func conditions(events Events) uint32 {
	asked := uint32(localClose)
	if events&Read != 0 {
		asked |= toRead
	}
	if events&Write != 0 {
		asked |= toWrite
	}
	return asked
}

// gone reports whether a request that has completed has found its socket closed.
func (r *request) gone() bool {
	switch uint32(r.block.status) {
	case statusSuccess:
		return r.info.handles > 0 && r.info.events&localClose != 0
	case statusInvalidHandle, statusObjectMismatch, statusNotSupported:
		return true
	}
	return false
}

// result returns what it has found otherwise.
func (r *request) result() (events Events) {
	switch status := uint32(r.block.status); {
	case status == statusCancelled:
		return 0
	case status&severityError == severityError:
		return Read | Write // the read or write returns the error
	case r.info.handles == 0:
		return 0
	}
	if r.info.events&toRead != 0 {
		events |= Read
	}
	if r.info.events&toWrite != 0 {
		events |= Write
	}
	return events
}
