/* SPDX-License-Identifier: MIT */
/*
 * The calls of epoll, made directly so that no library changes them. Of a
 * wait all is told that a program can see: the result, each event, and
 * whether more of the buffer was written than the result says.
 */
#define _GNU_SOURCE
#include "ops.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 128, FILL = 0xee };

/* Far from the end of the address space, which the largest sizes reach for. */
static struct epoll_event buffers[ACTORS][EVENTS_MAX];

static const struct {
	uint32_t bit;
	const char *name;
} bits[] = {
	{EPOLLIN, "IN"},
	{EPOLLPRI, "PRI"},
	{EPOLLOUT, "OUT"},
	{EPOLLERR, "ERR"},
	{EPOLLHUP, "HUP"},
	{EPOLLRDNORM, "RDNORM"},
	{EPOLLRDBAND, "RDBAND"},
	{EPOLLWRNORM, "WRNORM"},
	{EPOLLWRBAND, "WRBAND"},
	{EPOLLRDHUP, "RDHUP"},
};

static void add_events(struct text *out, uint32_t events)
{
	const char *before = "";

	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		if (events & bits[i].bit) {
			text_add(out, "%s%s", before, bits[i].name);
			events &= ~bits[i].bit;
			before = "|";
		}
	}
	if (events || !*before)
		text_add(out, "%s0x%x", before, events);
}

static void add_wait(
	struct call *c, long n, const struct epoll_event *ev, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)ev;
	size_t used = n > 0 ? (size_t)n * sizeof(*ev) : 0;

	text_add_result(c->out, n);
	for (long i = 0; i < n; i++) {
		text_add(c->out, " {");
		add_events(c->out, ev[i].events);
		text_add(c->out, ", 0x%llx}",
			(unsigned long long)ev[i].data.u64);
	}
	for (size_t i = used; i < size; i++) {
		if (bytes[i] != FILL) {
			text_add(c->out, " and writes more");
			break;
		}
	}
}

void op_epoll_create(struct call *c)
{
#ifdef SYS_epoll_create
	long fd = outcome(syscall(SYS_epoll_create, (int)c->arg[0]));
#else
	long fd = c->arg[0] <= 0 ? -EINVAL
				 : outcome(syscall(SYS_epoll_create1, 0));
#endif

	call_set_slot(c, 0, fd);
	text_add_result(c->out, fd);
}

void op_epoll_create1(struct call *c)
{
	long fd = outcome(syscall(SYS_epoll_create1, (int)c->arg[0]));

	call_set_slot(c, 0, fd);
	text_add_result(c->out, fd);
}

void op_epoll_ctl(struct call *c)
{
	struct epoll_event ev = {.events = (uint32_t)c->arg[3]};

	ev.data.u64 = (uint64_t)c->arg[4];
	text_add_result(c->out, outcome(syscall(SYS_epoll_ctl, (int)c->arg[0],
					(int)c->arg[1], (int)c->arg[2], &ev)));
}

void op_epoll_ctl_bad(struct call *c)
{
	text_add_result(c->out,
		outcome(syscall(SYS_epoll_ctl, (int)c->arg[0], (int)c->arg[1],
			(int)c->arg[2], actor_edge(c->self))));
}

static long wait_into(long ep, struct epoll_event *ev, long max, long timeout)
{
#ifdef SYS_epoll_wait
	return outcome(
		syscall(SYS_epoll_wait, (int)ep, ev, (int)max, (int)timeout));
#else
	return outcome(syscall(
		SYS_epoll_pwait, (int)ep, ev, (int)max, (int)timeout, NULL, 8));
#endif
}

void op_epoll_wait(struct call *c)
{
	struct epoll_event *ev = buffers[c->self->number];

	memset(ev, FILL, sizeof(buffers[0]));
	long n = wait_into(c->arg[0], ev, c->arg[1], c->arg[2]);

	add_wait(c, n, ev, sizeof(buffers[0]));
}

static int compare_data(const void *x, const void *y)
{
	uint64_t a = ((const struct epoll_event *)x)->data.u64;
	uint64_t b = ((const struct epoll_event *)y)->data.u64;

	return (a > b) - (a < b);
}

/* All there are; a poll may have changed their order. */
void op_epoll_wait_any_order(struct call *c)
{
	struct epoll_event *ev = buffers[c->self->number];

	memset(ev, FILL, sizeof(buffers[0]));
	long n = wait_into(c->arg[0], ev, EVENTS_MAX, c->arg[1]);

	if (n > 1)
		qsort(ev, (size_t)n, sizeof(*ev), compare_data);
	add_wait(c, n, ev, sizeof(buffers[0]));
}

/* Only the first few events have room before memory ends. */
void op_epoll_wait_fits(struct call *c)
{
	size_t size = (size_t)c->arg[3] * sizeof(struct epoll_event);
	struct epoll_event *ev = (void *)(actor_edge(c->self) - size);

	memset(ev, FILL, size);
	long n = wait_into(c->arg[0], ev, c->arg[1], c->arg[2]);

	add_wait(c, n, ev, size);
}

void op_epoll_pwait(struct call *c)
{
	struct epoll_event *ev = buffers[c->self->number];
	uint64_t mask = (uint64_t)c->arg[3];

	memset(ev, FILL, sizeof(buffers[0]));
	long n = outcome(syscall(SYS_epoll_pwait, (int)c->arg[0], ev,
		(int)c->arg[1], (int)c->arg[2], &mask, sizeof(mask)));

	add_wait(c, n, ev, sizeof(buffers[0]));
}

/* The timeout is in nanoseconds; a negative one is no limit. */
void op_epoll_pwait2(struct call *c)
{
	struct epoll_event *ev = buffers[c->self->number];
	struct timespec limit = {
		c->arg[2] / 1000000000, c->arg[2] % 1000000000};
	uint64_t mask = (uint64_t)c->arg[3];

	memset(ev, FILL, sizeof(buffers[0]));
	long n = outcome(syscall(SYS_epoll_pwait2, (int)c->arg[0], ev,
		(int)c->arg[1], c->arg[2] < 0 ? NULL : &limit,
		c->arg[3] == -1 ? NULL : &mask, sizeof(mask)));

	add_wait(c, n, ev, sizeof(buffers[0]));
}

/* Nanoseconds that are no part of a second, or a mask of no such size. */
void op_epoll_pwait2_bad(struct call *c)
{
	struct epoll_event *ev = buffers[c->self->number];
	struct timespec limit = {0, c->arg[2]};
	uint64_t mask = 0;

	memset(ev, FILL, sizeof(buffers[0]));
	long n = outcome(syscall(SYS_epoll_pwait2, (int)c->arg[0], ev,
		(int)c->arg[1], &limit, &mask, (size_t)c->arg[3]));

	add_wait(c, n, ev, sizeof(buffers[0]));
}
