//go:build cgo

#include "shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The five hooks by which hiredis says what it waits for. They are called around each operation,
// often to change the interest and to change it back.
static void add_read(void *e) { ((struct evredis *)e)->interest |= EVREDIS_READ; }
static void del_read(void *e) { ((struct evredis *)e)->interest &= ~EVREDIS_READ; }
static void add_write(void *e) { ((struct evredis *)e)->interest |= EVREDIS_WRITE; }
static void del_write(void *e) { ((struct evredis *)e)->interest &= ~EVREDIS_WRITE; }

// cleanup is called before hiredis frees the context and closes the socket.
static void cleanup(void *hook)
{
	struct evredis *e = hook;

	e->code = e->context->c.err;
	snprintf(e->error, sizeof(e->error), "%s", e->context->c.errstr);
	e->interest = 0;
	e->context = NULL;
}

static void on_connect(const redisAsyncContext *context, int status)
{
	if (status == REDIS_OK)
		((struct evredis *)context->data)->connected = 1;
}

static void append(struct evredis *e, const void *data, size_t size)
{
	if (e->size + size > e->capacity) {
		e->capacity = 2 * (e->size + size) + 4096;
		e->replies = realloc(e->replies, e->capacity);
		if (e->replies == NULL)
			abort(); // as Go does when there is no memory
	}
	memcpy(e->replies + e->size, data, size);
	e->size += size;
}

static void record(struct evredis *e, const redisReply *reply)
{
	struct evredis_record r = {reply->type, 0};
	size_t i;

	switch (reply->type) {
	case REDIS_REPLY_INTEGER:
		r.number = reply->integer;
		break;
	case REDIS_REPLY_ARRAY:
		r.number = reply->elements;
		break;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		r.number = reply->len;
		break;
	}
	append(e, &r, sizeof(r));
	switch (reply->type) {
	case REDIS_REPLY_ARRAY:
		for (i = 0; i < reply->elements; i++)
			record(e, reply->element[i]);
		break;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		append(e, reply->str, reply->len);
		break;
	}
}

// on_reply is called for each reply, which hiredis frees afterwards, and for each command that
// has none when the connection ends. Go knows the latter without it.
static void on_reply(redisAsyncContext *context, void *reply, void *unused)
{
	if (reply != NULL)
		record(context->data, reply);
}

struct evredis *evredis_connect(const char *host, int port, const char *path)
{
	struct evredis *e = calloc(1, sizeof(*e));
	redisAsyncContext *context = *host != 0 ? redisAsyncConnect(host, port) : redisAsyncConnectUnix(path);

	if (e == NULL || context == NULL)
		abort();
	e->context = context;
	e->fd = context->c.fd;
	context->data = e;
	context->ev.data = e;
	context->ev.addRead = add_read;
	context->ev.delRead = del_read;
	context->ev.addWrite = add_write;
	context->ev.delWrite = del_write;
	context->ev.cleanup = cleanup;
	if (context->err != 0) {
		redisAsyncFree(context);
		return e;
	}
	fcntl(e->fd, F_SETFD, FD_CLOEXEC);
	redisAsyncSetConnectCallback(context, on_connect); // which waits for Write
	return e;
}

void evredis_send(struct evredis *e, const char *commands, size_t size)
{
	size_t length;

	while (size > 0) {
		memcpy(&length, commands, sizeof(length));
		redisAsyncFormattedCommand(e->context, on_reply, NULL, commands + sizeof(length), length);
		commands += sizeof(length) + length;
		size -= sizeof(length) + length;
	}
	if (e->connected)
		redisAsyncHandleWrite(e->context);
}

void evredis_ready(struct evredis *e, int events)
{
	if (e->context != NULL && (events & EVREDIS_READ) != 0)
		redisAsyncHandleRead(e->context);
	if (e->context != NULL && (events & EVREDIS_WRITE) != 0)
		redisAsyncHandleWrite(e->context);
}

void evredis_free(struct evredis *e)
{
	if (e->context != NULL)
		redisAsyncFree(e->context);
	free(e->replies);
	free(e);
}

#define TEXT(number) #number
#define VERSION(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *evredis_version(void) { return VERSION(HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH); }
