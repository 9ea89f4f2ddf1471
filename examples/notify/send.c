#include "notify.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

// The only error to expect is EAGAIN: the descriptor is full, so a request is
// outstanding already. In a signal handler, errno belongs to the interrupted code.
void notify_send(int fd) {
	const uint64_t one = 1;
	int saved = errno;
	while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
	}
	errno = saved;
}
