/* SPDX-License-Identifier: MIT */
/*
 * epemu-bench-load PORT CONNECTIONS MILLISECONDS: asks an echo server.
 *
 * Each connection has one message on its way, and sends the next when it has
 * come back. The client always runs natively; what is compared is the server.
 * It prints the round trips in a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { MESSAGE_BYTES = 64, BATCH = 256, PATIENCE_MS = 30000 };
enum { WARM_UP_NS = 100000000 };

static const char message[MESSAGE_BYTES] = "a message";

/* How much of its message each connection still has to get back. */
static int *missing;

static int connect_to(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	need(fd >= 0, "socket");
	need(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0,
		"connect");
	need(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0,
		"TCP_NODELAY");
	return fd;
}

static void ask(int fd)
{
	missing[fd] = MESSAGE_BYTES;
	need(write(fd, message, MESSAGE_BYTES) == MESSAGE_BYTES, "write");
}

/* True if a message has come back as it was sent. */
static bool hear(int fd)
{
	char got[MESSAGE_BYTES];
	int from = MESSAGE_BYTES - missing[fd];
	ssize_t n = read(fd, got, (size_t)missing[fd]);

	need(n > 0, "read");
	need(memcmp(got, message + from, (size_t)n) == 0, "another message");
	missing[fd] -= (int)n;
	return missing[fd] == 0;
}

/*
 * One round trip: then the server has accepted it. When more wait for that
 * than the listener has room for, one of them has to try again a second later.
 */
static void greet(int fd)
{
	ask(fd);
	while (!hear(fd))
		;
}

static long exchange(int epoll)
{
	struct epoll_event events[BATCH];
	long done = 0;
	int n = epoll_wait(epoll, events, BATCH, PATIENCE_MS);

	need(n > 0, "no answer from the server");
	for (int i = 0; i < n; i++) {
		int fd = events[i].data.fd;

		if (hear(fd)) {
			done++;
			ask(fd);
		}
	}
	return done;
}

/* Returns the round trips in a second. */
static double run(int epoll, int64_t duration_ns)
{
	int64_t begin = now_ns();
	int64_t now = begin;
	long done = 0;

	while (now < begin + duration_ns) {
		done += exchange(epoll);
		now = now_ns();
	}
	return (double)done * 1e9 / (double)(now - begin);
}

int main(int argc, char **argv)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	long connections;
	int *ends;

	if (argc != 4) {
		fputs("usage: epemu-bench-load PORT CONNECTIONS "
		      "MILLISECONDS\n",
			stderr);
		return 2;
	}
	connections = strtol(argv[2], NULL, 10);
	missing = calloc((size_t)raise_file_limit(), sizeof(*missing));
	ends = calloc((size_t)connections, sizeof(*ends));
	need(epoll >= 0 && missing && ends, "set-up");
	for (long i = 0; i < connections; i++) {
		ends[i] = connect_to((int)strtol(argv[1], NULL, 10));
		greet(ends[i]);
		epoll_add(epoll, ends[i], EPOLLIN, (uint64_t)ends[i]);
	}
	for (long i = 0; i < connections; i++)
		ask(ends[i]);
	run(epoll, WARM_UP_NS);
	field("rate", run(epoll, strtol(argv[3], NULL, 10) * 1000000));
	puts("}");
	return 0;
}
