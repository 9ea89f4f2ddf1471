// The parts that cgo cannot express: functions with variable arguments, callbacks
// with C's types, and a union. A Go value is passed as its cgo.Handle, a number.

#ifndef EVCURL_SHIM_H
#define EVCURL_SHIM_H

#define CURL_STRICTER // CURL and CURLM are types of their own, not void

#include <stdint.h>
#include <curl/curl.h>

// A transfer that has ended. easy is NULL when there is none.
struct evcurl_end {
	CURL *easy;
	CURLcode code;
};

CURLMcode evcurl_set_callbacks(CURLM *multi, uintptr_t handle);
CURLMcode evcurl_action(CURLM *multi, curl_socket_t fd, int events);
struct evcurl_end evcurl_next_end(CURLM *multi);

CURLcode evcurl_set_request(CURL *easy, uintptr_t handle, const char *url, long timeout_ms, char *detail);
long evcurl_info(CURL *easy, CURLINFO what);

#endif
