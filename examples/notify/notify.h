#include <pthread.h>

// notify_send sends to the Async whose Notifier fd is. It may be called from any
// thread and from a signal handler.
void notify_send(int fd);

// A producer is a thread that makes values. It tells of each by notify_send or,
// if signal is not 0, by that signal to itself.
struct producer;

// producer_start returns NULL, with errno set, if it cannot.
struct producer *producer_start(int fd, int signal, unsigned values);

// producer_made is how many values there are.
unsigned producer_made(struct producer *p);

// producer_join waits for the end and frees p.
void producer_join(struct producer *p);

// handler_install has signal handled by a notify_send to fd, and then as before.
// There can be one such handler. It returns -1, with errno set, if it cannot.
int handler_install(int signal, int fd);

// handler_remove returns when no thread is in the handler any more: then fd may
// be closed.
void handler_remove(void);

// handler_calls is how often the handler was called.
unsigned handler_calls(void);
