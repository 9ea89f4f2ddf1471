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
//	   finds a condition that lasts without fail, and whatever the helper does meanwhile. Note e
//	   has the exception.
//	c. The driver knows the base provider's handle (SIO_BASE_HANDLE), which is another one than
//	   the program's under a layered service provider. Some of these refuse to tell it, but tell
//	   the handle of the provider below them (SIO_BSP_HANDLE_POLL).
//	d. When the last handle of a socket is closed, its requests in progress complete with the
//	   condition "local close" [wine]. A request on a closed handle fails. A request on a number
//	   that was used again meanwhile polls the new socket: that cannot be told.
//	e. A request that is cancelled completes with STATUS_CANCELLED, unless it has completed before:
//	   one packet either way [wine]. Until then the driver may write to the request's memory. And
//	   until then no other request may be made for the socket: some versions of Windows lose the
//	   events of one that has two, as others have found (wepoll's issue 35, mio's selector). So a
//	   look may not find what is asked for since then. The packet of the cancelled request wakes the
//	   owner for the next look.
//	f. To cancel a request, Windows searches the requests of the file that it was made on. So 32
//	   requests share an open file of the driver, as in wepoll.
//	g. The thread that has made a request may end: requests on a file with a completion port go
//	   on (ExitThread, Remarks).
//	h. A port counts the threads that have taken packets from it, and that run, and lets no more
//	   run than its limit, which is the number of processors by default. With Go, a thread that has
//	   looked runs other goroutines afterwards. So the limit would keep packets from the helper
//	   while they compute.
package afd
