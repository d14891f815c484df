/* SPDX-License-Identifier: MIT */
/*
 * Sockets. Each TCP connection is entered on the stage by its ports, which
 * differ from run to run and are told to nobody else; see delivery.c.
 */
#define _GNU_SOURCE
#include "ops.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES_MAX = 4096 };

static size_t size_of(long arg)
{
	return arg < 0 ? 0 : arg > BYTES_MAX ? BYTES_MAX : (size_t)arg;
}

static void new_pair(struct call *c, long r, const int fd[2])
{
	text_add_result(c->out, r);
	if (r < 0)
		return;
	call_set_slot(c, 0, fd[0]);
	call_set_slot(c, 1, fd[1]);
	text_add(c->out, " %d %d", fd[0], fd[1]);
}

static void new_fd(struct call *c, long fd)
{
	call_set_slot(c, 0, fd);
	text_add_result(c->out, fd);
}

void op_socketpair(struct call *c)
{
	int fd[2];

	new_pair(c, outcome(socketpair(AF_UNIX, (int)c->arg[0], 0, fd)), fd);
}

static long tcp_listen(int flags)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
		listen(fd, 8) < 0) {
		long error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

/* Small writes must not wait for the answer to earlier ones. */
static void do_not_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void enter_connection(int fd)
{
	struct sockaddr_in own, other;
	socklen_t len = sizeof(own);

	if (stage->connections == CONNECTIONS_MAX ||
		getsockname(fd, (struct sockaddr *)&own, &len) < 0 ||
		getpeername(fd, (struct sockaddr *)&other, &len) < 0)
		return;
	stage->connection[stage->connections++] =
		(struct connection){own.sin_port, other.sin_port};
}

/* The connection is there when this ends, with whatever flags. */
static long tcp_connect(int listener, int flags)
{
	struct sockaddr_in to;
	socklen_t len = sizeof(to);

	if (getsockname(listener, (struct sockaddr *)&to, &len) < 0)
		return -errno;
	if (to.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	int fd = socket(AF_INET, SOCK_STREAM | (flags & SOCK_CLOEXEC), 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		long error = -errno;

		close(fd);
		return error;
	}
	enter_connection(fd);
	do_not_delay(fd);
	if (flags & SOCK_NONBLOCK)
		fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	return fd;
}

void op_tcp_pair(struct call *c)
{
	int flags = (int)c->arg[0], fd[2] = {-1, -1};
	long listener = tcp_listen(0), r = listener;

	if (r >= 0)
		r = tcp_connect((int)listener, flags);
	if (r >= 0) {
		fd[0] = (int)r;
		r = outcome(accept4((int)listener, NULL, NULL, flags));
		fd[1] = (int)r;
		do_not_delay(fd[1]);
	}
	if (listener >= 0)
		close((int)listener);
	new_pair(c, r < 0 ? r : 0, fd);
}

void op_tcp_listen(struct call *c)
{
	new_fd(c, tcp_listen((int)c->arg[0]));
}

void op_tcp_connect(struct call *c)
{
	new_fd(c, tcp_connect((int)c->arg[0], (int)c->arg[1]));
}

void op_tcp_accept(struct call *c)
{
	long fd = outcome(accept4((int)c->arg[0], NULL, NULL, (int)c->arg[1]));

	if (fd >= 0)
		do_not_delay((int)fd);
	new_fd(c, fd);
}

void op_send(struct call *c)
{
	unsigned char data[BYTES_MAX];

	memset(data, (int)c->index, sizeof(data));
	text_add_result(
		c->out, outcome(send((int)c->arg[0], data, size_of(c->arg[1]),
				(int)c->arg[2] | MSG_NOSIGNAL)));
}

void op_recv(struct call *c)
{
	unsigned char data[BYTES_MAX];
	long n = outcome(
		recv((int)c->arg[0], data, size_of(c->arg[1]), (int)c->arg[2]));

	text_add_result(c->out, n);
	if (n > 0)
		text_add_bytes(c->out, data, n);
}

void op_shutdown(struct call *c)
{
	text_add_result(
		c->out, outcome(shutdown((int)c->arg[0], (int)c->arg[1])));
}

union rights {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

/*
 * One descriptor with one byte. A unix socket must not go into one, since
 * only a collector in the background would find a ring of them.
 */
void op_sendfd(struct call *c)
{
	char byte = 'f';
	union rights rights = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights)};
	int fd = (int)c->arg[1], domain = 0;
	socklen_t len = sizeof(domain);

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len);
	if (domain == AF_UNIX) {
		text_add(c->out, "a unix socket");
		return;
	}
	rights.header =
		(struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&rights.header), &fd, sizeof(fd));
	text_add_result(c->out, outcome(sendmsg((int)c->arg[0], &msg,
					MSG_DONTWAIT | MSG_NOSIGNAL)));
}

void op_recvfd(struct call *c)
{
	char byte;
	union rights rights = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &rights,
		.msg_controllen = sizeof(rights)};
	long n = outcome(
		recvmsg((int)c->arg[0], &msg, MSG_DONTWAIT | (int)c->arg[1]));
	int fd;

	text_add_result(c->out, n);
	if (n < 0 || msg.msg_controllen < CMSG_LEN(sizeof(fd)))
		return;
	memcpy(&fd, CMSG_DATA(&rights.header), sizeof(fd));
	call_set_slot(c, 0, fd);
	text_add(c->out, " fd %d", fd);
}
