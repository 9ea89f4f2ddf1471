// Package afd watches sockets on Windows, by polls of the socket driver (\Device\Afd). A Set is
// for one goroutine, except that its helper, a goroutine that waits in
// GetQueuedCompletionStatusEx, calls a function when that goroutine should look.
//
// The driver is what select and WSAPoll are made of. Microsoft does not document its requests;
// wepoll, libuv and mio, which have used the same request for years, are the evidence for the
// notes below. The notes marked [wine] are also what Wine 8 does, under which the tests run.
//
//	a. A poll is an asynchronous request for one socket and a set of conditions. It completes
//	   once, when one of them holds, and reports all that hold [wine]. So a condition is reported
//	   again only when it is asked for again: a Set makes a new request before each look.
//	b. If a condition holds already, the request completes at once, and
//	   FILE_SKIP_COMPLETION_PORT_ON_SUCCESS keeps such a result from the port [wine]. So a look
//	   finds a condition that lasts without fail, and whatever the helper does meanwhile.
//	c. The driver knows the base provider's handle (SIO_BASE_HANDLE), which is another one than
//	   the program's under a layered service provider.
//	d. When the last handle of a socket is closed, its requests in progress complete with the
//	   condition "local close" [wine]. A request on a closed handle fails. A request on a number
//	   that was used again meanwhile polls the new socket: that cannot be told.
//	e. A request that is cancelled completes with STATUS_CANCELLED, unless it has completed before:
//	   one packet either way [wine]. Until then the driver may write to the request's memory.
//	f. To cancel a request, Windows searches the requests of the file that it was made on. So 32
//	   requests share an open file of the driver, as in wepoll.
//	g. The thread that has made a request may end: requests on a file with a completion port go
//	   on (CancelIoEx, Remarks).
package afd
