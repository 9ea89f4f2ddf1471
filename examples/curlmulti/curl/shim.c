//go:build cgo

#include "shim.h"
#include "_cgo_export.h"

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *multi, void *unused)
{
	return evcurlSocket((uintptr_t)multi, fd, what);
}

static int on_timer(CURLM *multi, long timeout_ms, void *handle)
{
	return evcurlTimer((uintptr_t)handle, timeout_ms);
}

static size_t on_body(char *part, size_t one, size_t size, void *transfer)
{
	return evcurlBody((uintptr_t)transfer, part, size);
}

// SET is for the functions that return their first failure.
#define SET(set, object, option, value)                 \
	if ((code = set(object, option, value)) != 0)   \
		return code

CURLMcode evcurl_set_callbacks(CURLM *multi, uintptr_t handle)
{
	CURLMcode code;

	SET(curl_multi_setopt, multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	SET(curl_multi_setopt, multi, CURLMOPT_SOCKETDATA, (void *)handle);
	SET(curl_multi_setopt, multi, CURLMOPT_TIMERFUNCTION, on_timer);
	SET(curl_multi_setopt, multi, CURLMOPT_TIMERDATA, (void *)handle);
	return CURLM_OK;
}

CURLMcode evcurl_action(CURLM *multi, curl_socket_t fd, int events)
{
	int running;

	return curl_multi_socket_action(multi, fd, events, &running);
}

struct evcurl_end evcurl_next_end(CURLM *multi)
{
	struct evcurl_end end = {NULL, CURLE_OK};
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL) {
		if (message->msg == CURLMSG_DONE) {
			end.easy = message->easy_handle;
			end.code = message->data.result;
			break;
		}
	}
	return end;
}

// libcurl copies the URL, and writes to detail until the handle is cleaned up.
CURLcode evcurl_set_request(CURL *easy, uintptr_t handle, const char *url, long timeout_ms, char *detail)
{
	CURLcode code;

	SET(curl_easy_setopt, easy, CURLOPT_ERRORBUFFER, detail);
	SET(curl_easy_setopt, easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(curl_easy_setopt, easy, CURLOPT_WRITEDATA, (void *)handle);
	SET(curl_easy_setopt, easy, CURLOPT_URL, url);
	SET(curl_easy_setopt, easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	// The Go runtime owns signals: no SIGALRM, no change of SIGPIPE's disposition.
	SET(curl_easy_setopt, easy, CURLOPT_NOSIGNAL, 1L);
	// file:// would block the loop. The other protocols are not needed.
	SET(curl_easy_setopt, easy, CURLOPT_PROTOCOLS_STR, "http,https");
	// The environment is not searched for proxies: C's getenv would race with a
	// goroutine's os.Setenv.
	SET(curl_easy_setopt, easy, CURLOPT_PROXY, "");
	return CURLE_OK;
}

long evcurl_info(CURL *easy, CURLINFO what)
{
	long value = 0;

	curl_easy_getinfo(easy, what, &value);
	return value;
}
