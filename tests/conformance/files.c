/* SPDX-License-Identifier: MIT */
/*
 * Files for the cases: eventfds, pipes, sockets, what /proc says about a
 * descriptor, and pages of memory that a kernel must not write to.
 */
#include "conf.h"
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

int ev_new(unsigned init, int flags)
{
	return (int)OK(CALL(eventfd2, init, flags));
}

long ev_put(int fd, uint64_t value)
{
	return CALL(write, fd, &value, 8);
}

long ev_get(int fd)
{
	uint64_t value = 0;
	long n = CALL(read, fd, &value, 8);

	return n == 8 ? (long)value : n;
}

void pipe_new(int p[2], int flags)
{
	OK(CALL(pipe2, p, flags));
}

void pair_new(int sv[2], int type)
{
	OK(CALL(socketpair, AF_UNIX, type, 0, sv));
}

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = port};
	const unsigned char ip[4] = {127, 0, 0, 1};

	memcpy(&a.sin_addr, ip, 4);
	return a;
}

int tcp_listen(uint16_t *port)
{
	struct sockaddr_in a = loopback(0);
	uint32_t len = sizeof(a);
	int fd = (int)CALL(socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || CALL(bind, fd, &a, sizeof(a)) < 0)
		conf_skip("no TCP on 127.0.0.1");
	OK(CALL(listen, fd, 16));
	OK(CALL(getsockname, fd, &a, &len));
	*port = a.sin_port;
	return fd;
}

/* The descriptor, connected or, if flags say SOCK_NONBLOCK, on its way. */
long tcp_connect(uint16_t port, int flags)
{
	struct sockaddr_in a = loopback(port);
	int fd = (int)OK(CALL(socket, AF_INET, SOCK_STREAM | flags, 0));
	long r = CALL(connect, fd, &a, sizeof(a));

	if (r < 0 && r != -EINPROGRESS)
		return r;
	return fd;
}

void tcp_new(int sv[2])
{
	uint16_t port;
	int revents, l = tcp_listen(&port);

	sv[0] = (int)OK(tcp_connect(port, 0));
	OK(sys_poll(l, POLLIN, &revents, SOON));
	sv[1] = (int)OK(CALL(accept4, l, NULL, NULL, 0));
	sys_close(l);
}

long put(int fd, size_t count)
{
	static char buf[65536];

	return CALL(write, fd, buf, count);
}

long take(int fd, size_t count)
{
	static char buf[65536];

	return CALL(read, fd, buf, count);
}

long fill(int fd)
{
	long n, sum = 0;

	while ((n = put(fd, 4096)) > 0)
		sum += n;
	while ((n = put(fd, 1)) > 0)
		sum += n;
	return sum;
}

long drain(int fd)
{
	long n, sum = 0;

	while ((n = take(fd, 65536)) > 0)
		sum += n;
	return sum;
}

long sys_close(int fd)
{
	return CALL(close, fd);
}

long sys_dup(int fd)
{
	return CALL(dup, fd);
}

int dup_new(int fd)
{
	return (int)OK(sys_dup(fd));
}

long sys_dup2(int fd, int to)
{
	return CALL(dup3, fd, to, 0);
}

long sys_fcntl(int fd, int op, long arg)
{
	return CALL(fcntl, fd, op, arg);
}

long sys_shutdown(int fd, int how)
{
	return CALL(shutdown, fd, how);
}

long sys_poll(int fd, int events, int *revents, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = (short)events};
	long long ts[2] = {timeout_ms / 1000, timeout_ms % 1000 * 1000000ll};
	long n = CALL(ppoll, &p, 1, timeout_ms < 0 ? NULL : ts, NULL, 8);

	*revents = (unsigned short)p.revents;
	return n;
}

uint32_t polled(int fd, int events)
{
	int revents;

	OK(sys_poll(fd, events, &revents, 0));
	return (uint32_t)revents;
}

void limit_files(unsigned long count)
{
	unsigned long old[2], lim[2];

	OK(CALL(prlimit64, 0, RLIMIT_NOFILE, NULL, old));
	lim[0] = count < old[1] ? count : old[1];
	lim[1] = old[1];
	OK(CALL(prlimit64, 0, RLIMIT_NOFILE, lim, NULL));
}

const char *conf_self_path;

int open_self(void)
{
	long fd = CALL(openat, AT_FDCWD, "/proc/self/exe", O_RDONLY, 0);

	if (fd < 0)
		fd = CALL(openat, AT_FDCWD, conf_self_path, O_RDONLY, 0);
	if (fd < 0)
		conf_skip("cannot open this program's own file");
	return (int)fd;
}

long read_file(const char *path, char *buf, size_t cap)
{
	long fd = CALL(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), n;
	size_t len = 0;

	if (fd < 0)
		return fd;
	while (len + 1 < cap &&
		(n = CALL(read, fd, buf + len, cap - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = 0;
	sys_close((int)fd);
	return (long)len;
}

long read_fdinfo(int fd, char *buf, size_t cap)
{
	char path[40];
	struct text t = TEXT_ON(path);
	long n;

	text_put(&t, "/proc/self/fdinfo/%d", fd);
	n = read_file(path, buf, cap);
	if (n < 0)
		conf_skip("no /proc/self/fdinfo");
	return n;
}

long info_number(const char *text, const char *key, int base)
{
	const char *p = strstr(text, key);

	return p ? (long)str_number(p + strlen(key), base) : -1;
}

struct fd_message {
	struct msghdr m;
	struct iovec iov;
	char byte;
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} c;
};

static void fd_message_init(struct fd_message *f)
{
	memset(f, 0, sizeof(*f));
	f->iov.iov_base = &f->byte;
	f->iov.iov_len = 1;
	f->m.msg_iov = &f->iov;
	f->m.msg_iovlen = 1;
	f->m.msg_control = &f->c;
	f->m.msg_controllen = sizeof(f->c);
}

void send_fd(int sock, int fd)
{
	struct fd_message f;

	fd_message_init(&f);
	f.c.h.cmsg_level = SOL_SOCKET;
	f.c.h.cmsg_type = SCM_RIGHTS;
	f.c.h.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&f.c.h), &fd, sizeof(fd));
	OK(CALL(sendmsg, sock, &f.m, 0));
}

int recv_fd(int sock)
{
	struct fd_message f;
	int fd = -1;

	fd_message_init(&f);
	OK(CALL(recvmsg, sock, &f.m, 0));
	memcpy(&fd, CMSG_DATA(&f.c.h), sizeof(fd));
	return fd;
}

uint64_t now_ns(void)
{
	long ts[2] = {0, 0};

	CALL(clock_gettime, CLOCK_MONOTONIC, ts);
	return (uint64_t)ts[0] * 1000000000u + (uint64_t)ts[1];
}

static char *map(size_t len, int prot)
{
	return (char *)OK(
		CALL(mmap, 0, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

void *edge(size_t n)
{
	char *p = map(131072, PROT_READ | PROT_WRITE);

	OK(CALL(munmap, p + 65536, 65536));
	return p + 65536 - n;
}

void *readonly_page(void)
{
	char *p = map(65536, PROT_READ | PROT_WRITE);

	memset(p, 0, 4096);
	OK(CALL(mprotect, p, 65536, PROT_READ));
	return p;
}
