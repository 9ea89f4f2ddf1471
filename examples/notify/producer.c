#include "notify.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct producer {
	pthread_t thread;
	int fd, signal;
	unsigned values;
	atomic_uint made;
};

// produce publishes first and sends then, so that the callback sees the value.
static void *produce(void *arg) {
	struct producer *p = arg;
	for (unsigned i = 0; i < p->values; i++) {
		atomic_fetch_add(&p->made, 1);
		if (p->signal != 0)
			pthread_kill(pthread_self(), p->signal);
		else
			notify_send(p->fd);
		if (i % 16 == 0)
			usleep(1000);
	}
	return NULL;
}

struct producer *producer_start(int fd, int signal, unsigned values) {
	struct producer *p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->fd = fd, p->signal = signal, p->values = values;
	int failed = pthread_create(&p->thread, NULL, produce, p);
	if (failed != 0) {
		free(p);
		errno = failed;
		return NULL;
	}
	return p;
}

unsigned producer_made(struct producer *p) { return atomic_load(&p->made); }

void producer_join(struct producer *p) {
	pthread_join(p->thread, NULL);
	free(p);
}
