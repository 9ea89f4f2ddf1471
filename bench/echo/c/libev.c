// An echo server with libev, as serveEV in servers.go: it accepts, reads and
// writes in callbacks of one loop, prints its port, and ends with its standard
// input.

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
	ev_io io;
	size_t kept; // not yet accepted by the socket
	char rest[4096];
};

static void
fail(const char *what)
{
	perror(what);
	exit(1);
}

static int again(void) { return errno == EAGAIN || errno == EINTR; }

static void
end(struct ev_loop *loop, struct peer *p)
{
	ev_io_stop(loop, &p->io);
	close(p->io.fd);
	free(p);
}

static void
watch(struct ev_loop *loop, ev_io *io, int events)
{
	ev_io_stop(loop, io);
	ev_io_set(io, io->fd, events);
	ev_io_start(loop, io);
}

static void
on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	static char buf[4096];
	struct peer *p = (struct peer *)io;
	char *data = p->rest;
	ssize_t n = p->kept, sent;
	if (!(events & EV_WRITE)) {
		data = buf;
		n = read(io->fd, buf, sizeof buf);
		if (n < 0 && again())
			return;
		if (n <= 0) {
			end(loop, p);
			return;
		}
	}
	sent = write(io->fd, data, n);
	if (sent < 0 && !again()) {
		end(loop, p);
		return;
	}
	if (sent < 0)
		sent = 0;
	p->kept = n - sent;
	if (p->kept > 0) {
		memmove(p->rest, data + sent, p->kept);
		watch(loop, io, EV_WRITE);
	} else if (events & EV_WRITE) {
		watch(loop, io, EV_READ);
	}
}

static void
on_accept(struct ev_loop *loop, ev_io *io, int events)
{
	int one = 1, fd = accept(io->fd, 0, 0);
	struct peer *p;
	if (fd < 0)
		return;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (!(p = calloc(1, sizeof *p)))
		fail("calloc");
	ev_io_init(&p->io, on_ready, fd, EV_READ);
	ev_io_start(loop, &p->io);
}

static void
on_input(struct ev_loop *loop, ev_io *io, int events)
{
	char c;
	if (read(0, &c, 1) <= 0)
		ev_break(loop, EVBREAK_ALL);
}

int
main(void)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ev_io accepting, input;
	if (!loop || fd < 0 || bind(fd, (struct sockaddr *)&at, size) || listen(fd, 1024) ||
	    getsockname(fd, (struct sockaddr *)&at, &size))
		fail("listen");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	ev_io_init(&accepting, on_accept, fd, EV_READ);
	ev_io_start(loop, &accepting);
	ev_io_init(&input, on_input, 0, EV_READ);
	ev_io_start(loop, &input);
	printf("127.0.0.1:%d\n", ntohs(at.sin_port));
	fflush(stdout);
	ev_run(loop, 0);
	return 0;
}
