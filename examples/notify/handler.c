#include "notify.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

// Go requires this of a handler that C installs (os/signal, "Go programs that use
// cgo"):
//
//   SA_ONSTACK  Goroutines have small stacks, on which a handler would overflow.
//               The runtime has given each thread another one for handlers.
//   SA_RESTART  Package os and others do not expect EINTR where Go's own handlers
//               do not cause it.
//   all masked  The runtime's own handler, which is called from this one, must not
//               be interrupted on that stack.
//   chaining    The previous handler was the runtime's, which os/signal needs. On
//               a thread that C has made it acts as if there were none, and may
//               end the process, unless os/signal has a subscription to the
//               signal: see handler.go.
//
// C requires that a handler calls only async-signal-safe functions. The only Go
// code that it calls is the runtime's handler.

static struct sigaction before[NSIG]; // by signal: a late handler may read it while another is installed
static int installed; // the signal, or 0; changed by install and remove only
static atomic_int target = -1;
static atomic_uint inside, calls;

static void handle(int sig, siginfo_t *info, void *context) {
	atomic_fetch_add(&inside, 1);
	int fd = atomic_load(&target);
	if (fd >= 0) {
		atomic_fetch_add(&calls, 1);
		notify_send(fd);
	}
	atomic_fetch_sub(&inside, 1);
	const struct sigaction *next = &before[sig];
	if (next->sa_flags & SA_SIGINFO)
		next->sa_sigaction(sig, info, context);
	else if (next->sa_handler != SIG_DFL && next->sa_handler != SIG_IGN)
		next->sa_handler(sig);
}

int handler_install(int signal, int fd) {
	if (installed != 0) {
		errno = EBUSY;
		return -1;
	}
	struct sigaction old;
	if (sigaction(signal, NULL, &old) < 0)
		return -1;
	before[signal] = old; // before the handler can be called, which reads it
	struct sigaction act = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	sigfillset(&act.sa_mask);
	atomic_store(&target, fd);
	if (sigaction(signal, &act, NULL) < 0) {
		atomic_store(&target, -1);
		return -1;
	}
	installed = signal;
	return 0;
}

// A handler that is counted after the wait has ended finds no target.
void handler_remove(void) {
	sigaction(installed, &before[installed], NULL);
	installed = 0;
	atomic_store(&target, -1);
	while (atomic_load(&inside) != 0)
		sched_yield();
}

unsigned handler_calls(void) { return atomic_load(&calls); }
