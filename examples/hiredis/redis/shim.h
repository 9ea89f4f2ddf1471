// hiredis calls only this file, and never Go: its callbacks note what has happened in a struct
// evredis, and Go reads that when the call that it made has returned.

#ifndef EVREDIS_SHIM_H
#define EVREDIS_SHIM_H

#include <stddef.h>
#include <hiredis/async.h>

#define EVREDIS_READ 1
#define EVREDIS_WRITE 2

struct evredis {
	redisAsyncContext *context; // NULL when hiredis has freed it
	int fd;
	int interest;               // a set of EVREDIS_READ and EVREDIS_WRITE
	int connected;
	int code;                   // why hiredis gave up; 0 if it was told to
	char error[128];
	char *replies;              // records, of length size
	size_t size, capacity;
};

// Each reply is a record: its type, a number, and a content whose length the number is.
//
//	integer              the number
//	string, error        that many bytes
//	array                that many records
//	nil                  -
struct evredis_record {
	long long type, number;
};

// evredis_connect begins to connect. An empty host means that path is a Unix socket. host must
// be an address: hiredis looks up a name without returning.
struct evredis *evredis_connect(const char *host, int port, const char *path);

// evredis_send queues the commands in a buffer, in which each has its length before it, and
// writes them if that does not wait.
void evredis_send(struct evredis *e, const char *commands, size_t size);

// evredis_ready makes the progress that an event allows.
void evredis_ready(struct evredis *e, int events);

// evredis_free closes the connection, if it still is one.
void evredis_free(struct evredis *e);

const char *evredis_version(void);

#endif
