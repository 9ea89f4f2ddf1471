#include <pthread.h>

// notify_send sends to the Async whose Notifier fd is. It may be called from any
// thread and from a signal handler.
void notify_send(int fd);

// A producer is a thread that makes values. For each it calls notify_send or, if
// signal is not 0, sends that signal to itself.
struct producer;

// producer_start returns NULL, with errno set, if it fails.
struct producer *producer_start(int fd, int signal, unsigned values);

// producer_made returns the number of values made.
unsigned producer_made(struct producer *p);

// producer_join waits for the end and frees p.
void producer_join(struct producer *p);

// handler_install installs a handler that calls notify_send for fd, and then the
// previous handler. There can be one such handler. It returns -1, with errno set,
// if it fails.
int handler_install(int signal, int fd);

// handler_remove returns when no thread is in the handler any more: then fd may
// be closed.
void handler_remove(void);

// handler_calls returns the number of calls of the handler.
unsigned handler_calls(void);
