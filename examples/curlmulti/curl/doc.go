// Package curl runs HTTP transfers of libcurl on an event loop. libcurl's
// multi_socket interface reports the sockets it waits for and its deadline.
// Here they are watchers of the loop. There is no goroutine and no thread per
// transfer.
//
// All of it belongs to the loop. Methods must be called on the loop's
// goroutine, or before it runs. Callbacks are called there. That goroutine may
// be on another thread at each call of libcurl. libcurl allows this: any thread
// may use its handles, one at a time, and libcurl reads its state per thread
// (errno, OpenSSL's queue of errors) in the call that wrote it. A library that
// does not allow this needs runtime.LockOSThread around Loop.Run, which costs a
// thread and two switches of threads per wake-up.
//
// # Not promised
//
// A thread of libcurl looks up host names, unless libcurl was built with
// c-ares. Addresses need no lookup. There is no back-pressure: a body is
// delivered as it comes. Redirects are not followed. Proxies of the environment
// are not used.
package curl
