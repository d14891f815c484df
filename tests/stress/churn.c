/* SPDX-License-Identifier: MIT */
/*
 * Much that comes and goes: nothing may stay behind in the supervisor.
 *
 * Each case warms up, says "ready", does the same many times over, says
 * "done" and waits; at both points the driver reads the supervisor's
 * descriptors and memory (--sync). What is alive at "ready" and "done" is
 * the same, so whatever grew is a leak. The program itself checks that each
 * event carries the data of a registration that can still be there.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define RING 63 /* as many of each kind, always */

static int ep;
static long turns;
static struct stress_rng rng;

static void dump(void)
{
	dprintf(2, "# %ld turns\n", turns);
}

/* Opens a pair, a pipe or an eventfd in turn; fd[1] is -1 for the last. */
static void open_any(int fd[2])
{
	switch (turns++ % 3) {
	case 0:
		x_pair(fd, SOCK_STREAM);
		break;
	case 1:
		x_pipe(fd, 0);
		break;
	default:
		fd[0] = x_eventfd(1, EFD_CLOEXEC);
		fd[1] = -1;
	}
}

static void make_ready(const int fd[2])
{
	if (fd[1] >= 0)
		must(write(fd[1], "x", 1) == 1, "write");
}

static void close_any(const int fd[2])
{
	x_close(fd[0]);
	if (fd[1] >= 0)
		x_close(fd[1]);
}

static uint32_t any_mask(void)
{
	static const uint32_t masks[] = {EPOLLIN, EPOLLIN | EPOLLET,
		EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLOUT | EPOLLRDHUP,
		EPOLLIN | EPOLLEXCLUSIVE};

	return masks[stress_below(&rng, ARRAY_LEN(masks))];
}

/* Opened, added, sometimes used, closed; never EPOLL_CTL_DEL. */
static void turn_open(void)
{
	int fd[2];

	open_any(fd);
	uint64_t data = (uint64_t)turns << 20 | (unsigned)fd[0];

	x_add(ep, fd[0], any_mask(), data);
	if (stress_below(&rng, 4) == 0) {
		make_ready(fd);
		must(x_wait1(ep, -1, NULL) == data, "event of another");
	}
	close_any(fd);
	if (turns % 1024 == 0)
		x_wait0(ep);
}

static struct {
	int fd[2];
	int copy;
	uint64_t data;
} ring[RING];

/* The number is closed, a dup keeps the item; both end a while later. */
static void turn_dup(void)
{
	unsigned i = (unsigned)(turns % RING);
	int fd[2];

	if (ring[i].data) {
		x_close(ring[i].copy);
		if (ring[i].fd[1] >= 0)
			x_close(ring[i].fd[1]);
	}
	open_any(fd);
	ring[i].fd[0] = fd[0];
	ring[i].fd[1] = fd[1];
	ring[i].data = (uint64_t)turns << 20 | (unsigned)fd[0];
	x_add(ep, fd[0], EPOLLIN | EPOLLET, ring[i].data);
	ring[i].copy = (int)good(fcntl(fd[0], F_DUPFD_CLOEXEC, 0));
	x_close(fd[0]);
	bad(EBADF, epoll_ctl(ep, EPOLL_CTL_DEL, fd[0], NULL));
	bad(ENOENT, epoll_ctl(ep, EPOLL_CTL_DEL, ring[i].copy, NULL));
	make_ready(fd);
	must(x_wait1(ep, -1, NULL) == ring[i].data, "event of another");
}

static void turn_epoll(void)
{
	int inner = x_epoll();
	int efd = x_eventfd(1, EFD_CLOEXEC);

	turns++;
	x_add(inner, efd, EPOLLIN, 5);
	if (stress_below(&rng, 2))
		x_add(ep, inner, EPOLLIN, 6);
	if (stress_below(&rng, 4) == 0)
		must(x_wait1(inner, -1, NULL) == 5, "wrong data");
	if (stress_below(&rng, 2)) {
		x_close(inner);
		x_close(efd);
	} else {
		x_close(efd);
		x_wait0(inner);
		x_close(inner);
	}
}

static void turn_eventfd(void)
{
	int efd = x_eventfd(
		0, EFD_NONBLOCK | (turns++ % 2 ? EFD_CLOEXEC : EFD_SEMAPHORE));

	x_put(efd, 3);
	must(x_take(efd) >= 1, "empty");
	if (stress_below(&rng, 2))
		x_add(ep, efd, EPOLLIN, 1);
	x_close(efd);
}

static void *one_wait(void *arg)
{
	(void)arg;
	must(x_wait1(ep, -1, NULL) == 42, "wrong data");
	return NULL;
}

static void turn_thread(void)
{
	pthread_t thread;

	turns++;
	must(!pthread_create(&thread, NULL, one_wait, NULL), "thread");
	pthread_join(thread, NULL);
}

static void turn_process(void)
{
	pid_t pid = stress_fork();

	turns++;
	if (pid == 0) {
		if (turns % 2)
			one_wait(NULL);
		else
			x_epoll();
		_exit(0);
	}
	stress_join(pid);
}

static void churn(void (*turn)(void), long dflt)
{
	long count = stress_count(dflt);

	stress_on_watchdog(dump);
	stress_seed(&rng, 1);
	if (ep == 0)
		ep = x_epoll();
	for (long i = 0; i < count / 10 + 2 * RING; i++)
		turn();
	int fds = stress_count_fds();

	stress_pause("ready");
	for (long i = 0; i < count; i++) {
		turn();
		if (i % 4096 == 0)
			stress_arm();
	}
	stress_pause("done");
	must(stress_count_fds() == fds, "descriptors %d to %d", fds,
		stress_count_fds());
	stress_ok("%ld times", count);
}

static void open_close(void)
{
	churn(turn_open, 200000);
}

static void dup_close(void)
{
	churn(turn_dup, 40000);
}

static void epolls(void)
{
	churn(turn_epoll, 20000);
}

static void eventfds(void)
{
	churn(turn_eventfd, 20000);
}

static void endless(void (*turn)(void))
{
	ep = x_epoll();
	x_add(ep, x_eventfd(1, EFD_CLOEXEC), EPOLLIN, 42);
	churn(turn, 4000);
}

static void threads(void)
{
	endless(turn_thread);
}

static void processes(void)
{
	endless(turn_process);
}

static const struct stress_case cases[] = {
	{"open-close", open_close},
	{"dup-close", dup_close},
	{"epolls", epolls},
	{"eventfds", eventfds},
	{"threads", threads},
	{"processes", processes},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
