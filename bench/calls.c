/* SPDX-License-Identifier: MIT */
/*
 * One kind of call again and again, from one thread. Each workload has its
 * descriptors from prepare() and does nothing else while the clock runs.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"

enum { MANY = 64 };

static int epoll, file, pipe_ends[2];

/* Kept readable: one item that is ready at each look. */
static void prepare_ready(void)
{
	need(pipe2(pipe_ends, O_CLOEXEC) == 0, "pipe2");
	need(write(pipe_ends[1], "x", 1) == 1, "write");
	file = pipe_ends[0];
	epoll = epoll_with(file, EPOLLIN);
}

/* Among epolls that do nothing, and after one that had another in it. */
static void prepare_after_nested(void)
{
	int outer, inner;

	prepare_ready();
	for (int i = 0; i < MANY; i++)
		need(epoll_create1(EPOLL_CLOEXEC) >= 0, "epoll_create1");
	inner = epoll_create1(EPOLL_CLOEXEC);
	need(inner >= 0, "epoll_create1");
	outer = epoll_with(inner, EPOLLIN);
	close(outer);
	close(inner);
}

static void prepare_idle(void)
{
	need(pipe2(pipe_ends, O_CLOEXEC) == 0, "pipe2");
	file = pipe_ends[0];
	epoll = epoll_with(file, EPOLLIN);
}

static void prepare_ctl(void)
{
	prepare_idle();
	need(epoll_ctl(epoll, EPOLL_CTL_DEL, file, NULL) == 0, "epoll_ctl");
}

static void prepare_many(void)
{
	prepare_ready();
	for (int i = 1; i < MANY; i++) {
		need(pipe2(pipe_ends, O_CLOEXEC) == 0, "pipe2");
		need(write(pipe_ends[1], "x", 1) == 1, "write");
		epoll_add(epoll, pipe_ends[0], EPOLLIN, 0);
	}
}

static void prepare_write(void)
{
	file = eventfd(0, EFD_CLOEXEC);
	need(file >= 0, "eventfd");
}

/* Each read takes 1 of it, and there is more than anybody will take. */
static void prepare_read(void)
{
	file = eventfd(4000000000u, EFD_CLOEXEC | EFD_SEMAPHORE);
	need(file >= 0, "eventfd");
}

static int64_t run_wait(int operations, int timeout, int want)
{
	struct epoll_event events[MANY];
	int64_t start = now_ns();

	for (int i = 0; i < operations; i++) {
		int n = epoll_wait(epoll, events, MANY, timeout);

		need(n == want || under_floor, "epoll_wait");
	}
	return now_ns() - start;
}

static int64_t run_ready(int operations)
{
	return run_wait(operations, -1, 1);
}

static int64_t run_none(int operations)
{
	return run_wait(operations, 0, 0);
}

static int64_t run_many(int operations)
{
	return run_wait(operations, -1, MANY);
}

static int64_t run_add_del(int operations)
{
	int64_t start = now_ns();

	for (int i = 0; i < operations; i++) {
		epoll_add(epoll, file, EPOLLIN, 0);
		need(epoll_ctl(epoll, EPOLL_CTL_DEL, file, NULL) == 0,
			"epoll_ctl");
	}
	return now_ns() - start;
}

static int64_t run_mod(int operations)
{
	struct epoll_event event = {.events = EPOLLIN};
	int64_t start = now_ns();

	for (int i = 0; i < operations; i++) {
		event.data.u64 = (uint64_t)i;
		need(epoll_ctl(epoll, EPOLL_CTL_MOD, file, &event) == 0,
			"epoll_ctl");
	}
	return now_ns() - start;
}

static int64_t run_write(int operations)
{
	uint64_t one = 1;
	int64_t start = now_ns();

	for (int i = 0; i < operations; i++)
		need(write(file, &one, sizeof(one)) == sizeof(one), "write");
	return now_ns() - start;
}

static int64_t run_read(int operations)
{
	uint64_t value;
	int64_t start = now_ns();

	for (int i = 0; i < operations; i++)
		need(read(file, &value, sizeof(value)) == sizeof(value),
			"read");
	return now_ns() - start;
}

static int64_t run_pipe(int operations)
{
	struct epoll_event event;
	char byte = 'x';
	int64_t start = now_ns();

	for (int i = 0; i < operations; i++) {
		need(write(pipe_ends[1], &byte, 1) == 1, "write");
		settled();
		need(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
		need(read(pipe_ends[0], &byte, 1) == 1, "read");
	}
	return now_ns() - start;
}

#define WAITS "epoll_wait,epoll_pwait"

const struct workload call_workloads[] = {
	{"wait-ready", 1, WAITS, prepare_ready, run_ready, 64},
	{"wait-after-nested", 1, WAITS, prepare_after_nested, run_ready, 64},
	{"wait-none", 1, WAITS, prepare_idle, run_none, 64},
	{"wait-64", 1, WAITS, prepare_many, run_many, 64},
	{"ctl-add-del", 2, "epoll_ctl", prepare_ctl, run_add_del, 32},
	{"ctl-mod", 1, "epoll_ctl", prepare_idle, run_mod, 64},
	{"eventfd-write", 1, "write", prepare_write, run_write, 64},
	{"eventfd-read", 1, "read", prepare_read, run_read, 64},
	{"pipe-wait", 1, WAITS, prepare_idle, run_pipe, 64},
	{0},
};
