/* SPDX-License-Identifier: MIT */
/*
 * What makes an edge on pipes and unix sockets.
 */
#include "conf.h"
#include <sys/socket.h>
#include <sys/utsname.h>

#define PIPE_REF "fs/pipe.c: pipe_write"
#define UNIX_REF "net/unix/af_unix.c"

/* VER: 5.5 to 5.13 woke a reader only if the pipe had been empty. */
static int pipe_edges_once(void)
{
	struct utsname u;
	uint64_t minor;

	OK(CALL(uname, &u));
	if (strncmp(u.release, "5.", 2))
		return 0;
	minor = str_number(u.release + 2, 10);
	return minor >= 5 && minor <= 13;
}

CASE(f01_pipe_every_write, .level = 2, .covers = "F01 D05",
	.faults = "et-transition-only et-ignored",
	.calls = "pipe2 write epoll_wait",
	.ref = PIPE_REF " (3a34b13a88ca: always wake epoll readers)",
	.breaks = "Android's realm-core: writes without a drain")
{
	int ep = ep_new(), p[2], i;

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLET, 1));
	IS(put(p[1], 1), 1);
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
	if (pipe_edges_once()) {
		conf_note("a pipe that is not empty gives no edge here");
		return;
	}
	for (i = 0; i < 3; i++) {
		IS(put(p[1], 1), 1);
		NOW(ep, {EPOLLIN, 1});
		NONE(ep);
	}
}

CASE(f02_pipe_full_to_writable, .level = 2, .covers = "F02",
	.faults = "phantom-out", .calls = "pipe2 write read epoll_wait",
	.ref = "fs/pipe.c: pipe_read (was_full, a slot is freed)",
	.breaks = "writers that wait for room")
{
	int ep = ep_new(), p[2];

	pipe_new(p, O_NONBLOCK);
	OK(ep_add(ep, p[1], EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(fill(p[1]), 65536);
	NONE(ep);
	IS(take(p[0], 100), 100);
	NONE(ep);
	IS(take(p[0], 4096), 4096);
	NOW(ep, {EPOLLOUT, 1});
	IS(take(p[0], 4096), 4096);
	NONE(ep);
}

CASE(f02_pipe_level_writable, .level = 2, .covers = "F02 D04",
	.faults = "phantom-out", .calls = "pipe2 write read epoll_wait",
	.ref = "fs/pipe.c: pipe_poll", .breaks = "writers that wait for room")
{
	int ep = ep_new(), p[2];

	pipe_new(p, O_NONBLOCK);
	OK(ep_add(ep, p[1], EPOLLOUT, 1));
	NOW(ep, {EPOLLOUT, 1});
	NOW(ep, {EPOLLOUT, 1});
	IS(fill(p[1]), 65536);
	NONE(ep);
	IS(drain(p[0]), 65536);
	NOW(ep, {EPOLLOUT, 1});
}

CASE(f03_pipe_reads_are_no_edge, .level = 2, .covers = "F03",
	.faults = "et-refire-on-read", .calls = "pipe2 write read epoll_wait",
	.ref = "fs/pipe.c: pipe_read", .breaks = "shadow: busy loop")
{
	int ep = ep_new(), p[2];

	pipe_new(p, O_NONBLOCK);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLET, 1));
	OK(ep_add(ep, p[1], EPOLLOUT | EPOLLET, 2));
	NOW(ep, {EPOLLOUT, 2});
	IS(put(p[1], 1000), 1000);
	NOW(ep, {EPOLLIN, 1});
	IS(take(p[0], 10), 10);
	NONE(ep);
	IS(drain(p[0]), 990);
	NONE(ep);
}

CASE(f04_pipe_writer_closed, .level = 1, .covers = "F04 D12",
	.faults = "no-hup close-no-wake",
	.calls = "pipe2 close read epoll_wait", .ref = "fs/pipe.c: pipe_poll",
	.breaks = "DragonOS: hang at EOF")
{
	int ep = ep_new(), p[2];

	pipe_new(p, O_NONBLOCK);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLRDHUP, 1));
	IS(put(p[1], 3), 3);
	IS(sys_close(p[1]), 0);
	NOW(ep, {EPOLLIN | EPOLLHUP, 1});
	IS(take(p[0], 10), 3);
	NOW(ep, {EPOLLHUP, 1});
	IS(take(p[0], 10), 0);
	NOW(ep, {EPOLLHUP, 1});
}

CASE(f04_pipe_writer_closed_wakes, .level = 2, .covers = "F04",
	.faults = "close-no-wake dup-holds-eof",
	.calls = "pipe2 close epoll_wait clone",
	.ref = "fs/pipe.c: pipe_release", .breaks = "DragonOS: hang at EOF")
{
	int ep = ep_new(), p[2];
	struct waiter *w;

	/* The waiter is a thread: a child would hold the pipe open. */
	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLET, 1));
	w = waiter_start(BY_THREAD, ep, 4, -1, NULL);
	IS(sys_close(p[1]), 0);
	WAITER_GOT(w, EPOLLHUP, 1);
}

CASE(f04_pipe_reader_closed, .level = 1, .covers = "F04 D12",
	.faults = "close-no-wake", .calls = "pipe2 close epoll_wait",
	.ref = "fs/pipe.c: pipe_poll", .breaks = "writers that miss the end")
{
	int ep = ep_new(), p[2];

	pipe_new(p, O_NONBLOCK);
	OK(ep_add(ep, p[1], EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(sys_close(p[0]), 0);
	NOW(ep, {EPOLLOUT | EPOLLERR, 1});
	NONE(ep);
	OK(ep_mod(ep, p[1], 0, 1));
	NOW(ep, {EPOLLERR, 1});
}

CASE(f05_unix_peer_write, .level = 2, .covers = "F05",
	.faults = "in-out-split et-transition-only",
	.calls = "socketpair write epoll_wait", .ref = UNIX_REF,
	.breaks = "D-Bus, X11 clients")
{
	int ep = ep_new(), sv[2], i;

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	for (i = 0; i < 3; i++) {
		IS(put(sv[1], 10), 10);
		NOW(ep, {EPOLLIN | EPOLLOUT, 1});
		NONE(ep);
	}
}

CASE(f05_unix_own_calls, .level = 2, .covers = "F05",
	.faults = "et-refire-on-read phantom-out",
	.calls = "socketpair write read epoll_wait", .ref = UNIX_REF,
	.breaks = "loops that must not spin")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(put(sv[1], 10), 10);
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(take(sv[0], 4), 4);
	NONE(ep);
	IS(take(sv[0], 100), 6);
	NONE(ep);
	IS(put(sv[0], 10), 10);
	NONE(ep);
	IS(take(sv[1], 100), 10);
	NOW(ep, {EPOLLOUT, 1});
}

CASE(f06_unix_half_close, .level = 2, .covers = "F06 R08",
	.faults = "no-rdhup rdhup-as-hup", .calls = "socketpair shutdown",
	.ref = UNIX_REF ": unix_poll",
	.breaks = "shadow: tokio waits for ever at EOF")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(sys_shutdown(sv[1], SHUT_WR), 0);
	NOW(ep, {EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1});
	NONE(ep);
	IS(put(sv[0], 1), 1);
	IS(take(sv[1], 1), 1);
}

CASE(f06_unix_close, .level = 2, .covers = "F06 R08",
	.faults = "no-rdhup no-hup close-no-wake", .calls = "socketpair close",
	.ref = UNIX_REF ": unix_poll",
	.breaks = "gVisor: clients hang on close")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(sys_close(sv[1]), 0);
	NOW(ep, {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP, 1});
	NONE(ep);
}

CASE(f05_unix_datagram, .level = 3, .covers = "F05",
	.faults = "et-transition-only", .calls = "socketpair write read",
	.ref = UNIX_REF ": unix_dgram_sendmsg",
	.breaks = "syslog, systemd notify")
{
	int ep = ep_new(), sv[2], i;

	pair_new(sv, SOCK_DGRAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 3; i++) {
		IS(put(sv[1], 10), 10);
		NOW(ep, {EPOLLIN, 1});
		NONE(ep);
	}
	IS(take(sv[0], 100), 10);
	NONE(ep);
	IS(drain(sv[0]), 20);
	NONE(ep);
}

CASE(f05_unix_full_to_writable, .level = 3, .covers = "F05",
	.faults = "phantom-out", .calls = "socketpair write read epoll_wait",
	.ref = UNIX_REF ": unix_write_space", .breaks = "servers that stream")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	HOLDS(fill(sv[0]) > 0);
	NONE(ep);
	HOLDS(drain(sv[1]) > 0);
	NOW(ep, {EPOLLOUT, 1});
	NONE(ep);
}

CASE(f05_unix_listener, .level = 3, .covers = "F05 F07",
	.faults = "et-transition-only", .calls = "bind listen connect accept4",
	.ref = UNIX_REF ": unix_stream_connect",
	.breaks = "OSv: a second connection is never accepted")
{
	/* An empty address lets the kernel choose an abstract name. */
	struct sockaddr a = {.sa_family = AF_UNIX};
	char name[128];
	uint32_t len = sizeof(name);
	int ep = ep_new(), i, c;
	int l = (int)OK(CALL(socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));

	OK(CALL(bind, l, &a, 2));
	OK(CALL(getsockname, l, name, &len));
	OK(CALL(listen, l, 8));
	OK(ep_add(ep, l, EPOLLIN | EPOLLET, 1));
	NONE(ep);
	for (i = 0; i < 3; i++) {
		c = (int)OK(CALL(socket, AF_UNIX, SOCK_STREAM, 0));
		OK(CALL(connect, c, name, len));
		NOW(ep, {EPOLLIN, 1});
		NONE(ep);
	}
	OK(CALL(accept4, l, NULL, NULL, 0));
	NONE(ep);
}

CASE(f07_fresh_unix_stream, .level = 3, .covers = "F07", .calls = "socket",
	.ref = UNIX_REF ": unix_poll",
	.breaks = "loops that add before connect")
{
	int ep = ep_new();
	int s = (int)OK(CALL(socket, AF_UNIX, SOCK_STREAM, 0));

	OK(ep_add(ep, s, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT | EPOLLHUP, 1});
	NONE(ep);
}
