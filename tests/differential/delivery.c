/* SPDX-License-Identifier: MIT */
/*
 * Whether TCP has delivered, see delivery.h. The loopback mostly delivers
 * within the sender's call, but may leave it to a thread of the kernel. Both
 * ends of each connection are looked up by their ports (sock_diag(7)), which
 * needs no descriptor of theirs: all bytes sent have to be received, and no
 * end may be in a state that only an answer of the other ends.
 */
#define _GNU_SOURCE
#include "delivery.h"
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Of include/net/tcp_states.h, which the C library's header shadows. */
enum {
	ESTABLISHED = 1,
	FIN_WAIT2 = 5,
	TIME_WAIT = 6,
	CLOSE = 7,
	CLOSE_WAIT = 8,
	LISTEN = 10
};

struct end {
	bool there, told;
	unsigned state;
	struct tcp_info info;
};

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

static int diag_fd = -1;

bool delivery_open(void)
{
	diag_fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	return diag_fd >= 0;
}

static bool ask(uint16_t from, uint16_t to)
{
	struct request r = {
		.header = {sizeof(r), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0},
		.diag = {.sdiag_family = AF_INET,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1),
			.idiag_states = ~0U},
	};

	r.diag.id.idiag_sport = from;
	r.diag.id.idiag_dport = to;
	r.diag.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
	r.diag.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
	r.diag.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	r.diag.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return send(diag_fd, &r, sizeof(r), 0) == sizeof(r);
}

static void take_info(struct end *e, struct inet_diag_msg *m, long len)
{
	struct rtattr *attr = (struct rtattr *)(m + 1);

	/* What a connection that is gone had been made from. */
	if (m->idiag_state == LISTEN)
		return;
	e->there = true;
	e->state = m->idiag_state;
	for (len -= (long)sizeof(*m); RTA_OK(attr, len);
		attr = RTA_NEXT(attr, len)) {
		size_t size = RTA_PAYLOAD(attr);

		if (attr->rta_type != INET_DIAG_INFO)
			continue;
		memcpy(&e->info, RTA_DATA(attr),
			size < sizeof(e->info) ? size : sizeof(e->info));
		e->told = true;
	}
}

static struct end look_up(uint16_t from, uint16_t to)
{
	union {
		struct nlmsghdr header;
		char space[4096];
	} answer;
	struct end e = {0};

	if (!ask(from, to))
		return e;
	long n = recv(diag_fd, &answer, sizeof(answer), 0);

	if (n > 0 && answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY)
		take_info(&e, NLMSG_DATA(&answer.header), n - NLMSG_HDRLEN);
	return e;
}

static bool at_rest(const struct end *e)
{
	return !e->there || e->state == ESTABLISHED || e->state == FIN_WAIT2 ||
	       e->state == TIME_WAIT || e->state == CLOSE ||
	       e->state == CLOSE_WAIT;
}

/* Whether all that `x` sent is with `y`. */
static bool has_sent(const struct end *x, const struct end *y)
{
	if (!x->there || !x->told)
		return true;
	if (!y->there || x->info.tcpi_notsent_bytes > 0)
		return false;
	if (!y->told)
		return x->info.tcpi_unacked == 0;
	/* The end of the stream is received as one byte more. */
	return x->info.tcpi_bytes_sent - x->info.tcpi_bytes_retrans <=
		       y->info.tcpi_bytes_received &&
	       (x->state == ESTABLISHED || y->state != ESTABLISHED);
}

/* An end without information takes nothing in: it was closed. */
static bool delivered(const struct connection *c)
{
	struct end a = look_up(c->port_a, c->port_b);
	struct end b = look_up(c->port_b, c->port_a);

	return at_rest(&a) && at_rest(&b) && has_sent(&a, &b) &&
	       has_sent(&b, &a);
}

bool delivery_await(const struct stage *s)
{
	const struct timespec pause = {0, 100000};
	unsigned tries = 100000;

	for (unsigned i = 0; i < s->connections; i++) {
		while (!delivered(&s->connection[i])) {
			if (tries-- == 0)
				return false;
			nanosleep(&pause, NULL);
		}
	}
	return true;
}
