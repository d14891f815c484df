/* SPDX-License-Identifier: MIT */
/*
 * What makes an edge on TCP and UDP over the loopback. What the other side's
 * answer brings may come a moment later, so these wait for it.
 */
#include "conf.h"
#include <netinet/in.h>
#include <sys/socket.h>

#define TCP_REF "net/ipv4/tcp.c: tcp_poll"

static int inet(int type)
{
	long fd = CALL(socket, AF_INET, type | SOCK_NONBLOCK, 0);

	if (fd < 0)
		conf_skip("no IPv4");
	return (int)fd;
}

CASE(f07_fresh_tcp, .level = 2, .covers = "F07", .calls = "socket epoll_wait",
	.ref = TCP_REF, .breaks = "mio: adds before it connects")
{
	int ep = ep_new(), s = inet(SOCK_STREAM);

	OK(ep_add(ep, s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	NOW(ep, {EPOLLOUT | EPOLLHUP, 1});
	NONE(ep);
}

CASE(f07_fresh_udp, .level = 2, .covers = "F07", .calls = "socket epoll_wait",
	.ref = "net/core/datagram.c: datagram_poll", .breaks = "DNS resolvers")
{
	int ep = ep_new(), s = inet(SOCK_DGRAM);

	OK(ep_add(ep, s, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	NONE(ep);
}

CASE(f07_bound_then_listening, .level = 3, .covers = "F07",
	.calls = "socket bind listen epoll_wait", .ref = TCP_REF,
	.breaks = "servers that add before they listen")
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int ep = ep_new(), s = inet(SOCK_STREAM);

	OK(CALL(bind, s, &a, sizeof(a)));
	OK(ep_add(ep, s, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT | EPOLLHUP, 1});
	OK(CALL(listen, s, 4));
	NONE(ep);
	OK(ep_mod(ep, s, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NONE(ep);
}

CASE(f08_listener_each_connection, .level = 2, .covers = "F08",
	.faults = "et-transition-only no-initial-check",
	.calls = "listen connect accept4 epoll_wait",
	.ref = "net/ipv4/tcp_minisocks.c: tcp_child_process",
	.breaks = "OSv: a second connection is never accepted")
{
	int ep = ep_new(), i;
	uint16_t port;
	int l = tcp_listen(&port);

	OK(ep_add(ep, l, EPOLLIN | EPOLLET, 1));
	NONE(ep);
	for (i = 0; i < 3; i++) {
		OK(tcp_connect(port, 0));
		COMES(ep, {EPOLLIN, 1});
		NONE(ep);
	}
	for (i = 0; i < 3; i++)
		OK(CALL(accept4, l, NULL, NULL, 0));
	IS(CALL(accept4, l, NULL, NULL, 0), -EAGAIN);
	NONE(ep);
}

CASE(f08_connect_confirmed, .level = 2, .covers = "F08",
	.faults = "phantom-out mod-no-rearm",
	.calls = "connect epoll_ctl epoll_wait getsockopt",
	.ref = "connect(2): EINPROGRESS", .breaks = "clients hang in connect")
{
	int ep = ep_new(), s, err = -1;
	uint32_t len = sizeof(err);
	uint16_t port;
	int l = tcp_listen(&port);

	s = (int)OK(tcp_connect(port, SOCK_NONBLOCK));
	OK(ep_add(ep, s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	UNTIL(ep, EPOLLOUT, 1);
	OK(CALL(getsockopt, s, SOL_SOCKET, SO_ERROR, &err, &len));
	IS(err, 0);
	OK(CALL(accept4, l, NULL, NULL, 0));
}

CASE(f08_connect_refused, .level = 2, .covers = "F08 D12",
	.faults = "no-hup no-rdhup", .calls = "connect epoll_wait getsockopt",
	.ref = TCP_REF, .breaks = "clients that wait for a refused connection")
{
	int ep = ep_new(), s, err = 0;
	uint32_t len = sizeof(err);
	uint16_t port;
	long r;

	sys_close(tcp_listen(&port));
	r = tcp_connect(port, SOCK_NONBLOCK);
	if (r == -ECONNREFUSED)
		return;
	s = (int)OK(r);
	OK(ep_add(ep, s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	UNTIL(ep, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP, 1);
	OK(CALL(getsockopt, s, SOL_SOCKET, SO_ERROR, &err, &len));
	IS(err, ECONNREFUSED);
}

CASE(f08_each_arrival, .level = 2, .covers = "F08",
	.faults = "et-transition-only et-refire-on-read",
	.calls = "write read epoll_wait", .ref = "tcp_data_ready",
	.breaks = "OSv: tokio stalls after a short read")
{
	int ep = ep_new(), sv[2], i;

	tcp_new(sv);
	OK(ep_add(ep, sv[1], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	NONE(ep);
	for (i = 0; i < 4; i++) {
		IS(put(sv[0], 10), 10);
		COMES(ep, {EPOLLIN, 1});
		NONE(ep);
	}
	IS(take(sv[1], 15), 15);
	NONE(ep);
	IS(take(sv[1], 100), 25);
	NONE(ep);
}

CASE(f08_level_until_read, .level = 2, .covers = "F08 D04",
	.faults = "lt-not-requeued", .calls = "write read epoll_wait",
	.ref = TCP_REF, .breaks = "Redis, libevent: level-triggered servers")
{
	int ep = ep_new(), sv[2];

	tcp_new(sv);
	OK(ep_add(ep, sv[1], EPOLLIN, 1));
	IS(put(sv[0], 10), 10);
	COMES(ep, {EPOLLIN, 1});
	NOW(ep, {EPOLLIN, 1});
	IS(take(sv[1], 5), 5);
	NOW(ep, {EPOLLIN, 1});
	IS(take(sv[1], 5), 5);
	NONE(ep);
}

CASE(f08_half_close, .level = 2, .covers = "F08 R08",
	.faults = "no-rdhup rdhup-as-hup", .calls = "shutdown epoll_wait",
	.ref = TCP_REF, .breaks = "gramine: half-open connections torn down")
{
	int ep = ep_new(), sv[2];

	tcp_new(sv);
	OK(ep_add(ep, sv[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(sys_shutdown(sv[0], SHUT_WR), 0);
	COMES(ep, {EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1});
	IS(take(sv[1], 1), 0);
	IS(put(sv[1], 5), 5);
	IS(take(sv[0], 5), 5);
}

CASE(f08_ack_of_the_fin, .level = 3, .covers = "F08",
	.calls = "shutdown epoll_wait",
	.ref = "net/ipv4/tcp_input.c: tcp_rcv_state_process (FIN_WAIT1)",
	.breaks = "none known; it can be seen")
{
	int ep = ep_new(), sv[2];

	tcp_new(sv);
	OK(ep_add(ep, sv[0], EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(sys_shutdown(sv[0], SHUT_WR), 0);
	COMES(ep, {EPOLLOUT, 1});
}

CASE(f08_reset, .level = 2, .covers = "F08 D12", .faults = "no-hup no-rdhup",
	.calls = "setsockopt close epoll_wait", .ref = TCP_REF,
	.breaks = "servers whose clients vanish")
{
	int ep = ep_new(), sv[2], linger[2] = {1, 0};

	tcp_new(sv);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	OK(CALL(setsockopt, sv[1], SOL_SOCKET, SO_LINGER, linger, 8));
	IS(sys_close(sv[1]), 0);
	UNTIL(ep, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP, 1);
}

CASE(f08_both_sides_closed, .level = 2, .covers = "F08 R08",
	.faults = "no-hup no-rdhup", .calls = "shutdown epoll_wait",
	.ref = TCP_REF " (shutdown == SHUTDOWN_MASK)",
	.breaks = "mio: is_read_closed and is_write_closed")
{
	int ep = ep_new(), sv[2];

	tcp_new(sv);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	IS(sys_shutdown(sv[0], SHUT_WR), 0);
	IS(sys_shutdown(sv[1], SHUT_WR), 0);
	UNTIL(ep, EPOLLIN | EPOLLHUP | EPOLLRDHUP, 1);
}

CASE(f08_full_to_writable, .level = 3, .covers = "F08", .faults = "phantom-out",
	.calls = "write read epoll_wait",
	.ref = "net/core/stream.c: sk_stream_write_space",
	.breaks = "tgoskits: the second chunk is lost")
{
	int ep = ep_new(), sv[2];

	tcp_new(sv);
	OK(sys_fcntl(sv[0], F_SETFL, O_NONBLOCK));
	OK(sys_fcntl(sv[1], F_SETFL, O_NONBLOCK));
	OK(ep_add(ep, sv[0], EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	HOLDS(fill(sv[0]) > 0);
	while (polled(sv[0], EPOLLOUT) == 0)
		HOLDS(drain(sv[1]) >= 0);
	UNTIL(ep, EPOLLOUT, 1);
}

CASE(f08_urgent_data, .level = 3, .covers = "F08 D12",
	.calls = "sendto epoll_wait", .ref = TCP_REF ": EPOLLPRI",
	.breaks = "ftp and telnet servers, mio's PRIORITY")
{
	int ep = ep_new(), sv[2];

	tcp_new(sv);
	OK(ep_add(ep, sv[1], EPOLLPRI | EPOLLET, 1));
	NONE(ep);
	IS(CALL(sendto, sv[0], "!", 1, MSG_OOB, NULL, 0), 1);
	COMES(ep, {EPOLLPRI, 1});
	NONE(ep);
}

CASE(f07_udp_arrivals, .level = 2, .covers = "F07",
	.faults = "et-transition-only",
	.calls = "bind connect write epoll_wait",
	.ref = "net/core/sock.c: sock_def_readable", .breaks = "QUIC servers")
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	const unsigned char ip[4] = {127, 0, 0, 1};
	uint32_t len = sizeof(a);
	int ep = ep_new(), r = inet(SOCK_DGRAM), s = inet(SOCK_DGRAM), i;

	memcpy(&a.sin_addr, ip, 4);
	OK(CALL(bind, r, &a, sizeof(a)));
	OK(CALL(getsockname, r, &a, &len));
	OK(CALL(connect, s, &a, sizeof(a)));
	OK(ep_add(ep, r, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 3; i++) {
		IS(put(s, 10), 10);
		COMES(ep, {EPOLLIN, 1});
		NONE(ep);
	}
	IS(take(r, 100), 10);
	NONE(ep);
}
