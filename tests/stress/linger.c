/* SPDX-License-Identifier: MIT */
/*
 * Programs that would go on for ever: the driver kills the supervisor, or
 * epemu's front process, below them, and all of them have to end.
 *
 * Each case starts a few processes in one situation (blocked in a call, busy
 * with calls, detached, in no call of ours), says "ready" and stays there.
 * They give up when a call fails, as any program does; those of `stubborn`
 * and `pause` do not even that.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define CHILDREN 4

static int ep, efd;

static void say_ready(void)
{
	dprintf(1, "ready\n");
}

static void give_up(const char *call)
{
	dprintf(2, "# %d: %s: %s\n", getpid(), call, strerror(errno));
	_exit(3);
}

static void wait_for_ever(void)
{
	struct epoll_event ev;

	epoll_wait(ep, &ev, 1, -1);
	give_up("epoll_wait");
}

static void pwait_for_ever(void)
{
	struct epoll_event ev;
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	epoll_pwait(ep, &ev, 1, -1, &none);
	give_up("epoll_pwait");
}

static void read_for_ever(void)
{
	uint64_t v;

	if (read(efd, &v, sizeof(v)) < 0)
		give_up("read");
	fail("read came back");
}

static void busy(void)
{
	struct epoll_event ev;

	for (;;)
		if (epoll_wait(ep, &ev, 1, 1) < 0)
			give_up("epoll_wait");
}

static void stubborn(void)
{
	struct epoll_event ev;

	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (;;) {
		epoll_wait(ep, &ev, 1, -1);
		stress_sleep_us(10000);
	}
}

static void only_pause(void)
{
	for (;;)
		pause();
}

/* Children that this process outlives only by being as endless as they. */
static void children(void (*fn)(void), long nr)
{
	pid_t pid[CHILDREN];

	alarm(0);
	ep = x_epoll();
	efd = x_eventfd(0, EFD_CLOEXEC);
	x_add(ep, efd, EPOLLIN, 1);
	for (int i = 0; i < CHILDREN; i++) {
		pid[i] = (pid_t)good(fork());
		if (pid[i] == 0)
			fn();
	}
	for (int i = 0; i < CHILDREN && nr >= 0; i++)
		stress_wait_blocked(pid[i], nr, SYS_epoll_pwait);
	say_ready();
	fn();
}

static void blocked(void)
{
	children(wait_for_ever, NR_WAIT);
}

static void masked(void)
{
	children(pwait_for_ever, SYS_epoll_pwait);
}

static void reading(void)
{
	children(read_for_ever, SYS_read);
}

static void calling(void)
{
	children(busy, -1);
}

static void ignoring(void)
{
	children(stubborn, NR_WAIT);
}

static void pausing(void)
{
	children(only_pause, -1);
}

static void *thread_wait(void *arg)
{
	(void)arg;
	wait_for_ever();
	return NULL;
}

static void with_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < CHILDREN; i++)
		pthread_create(&thread, NULL, thread_wait, NULL);
	wait_for_ever();
}

static void threads(void)
{
	children(with_threads, -1);
}

static void detach(void)
{
	if (setsid() < 0 && getpid() != getpgrp())
		give_up("setsid");
	if (good(fork()) == 0)
		wait_for_ever();
	wait_for_ever();
}

static void detached(void)
{
	children(detach, -1);
}

static const struct stress_case cases[] = {
	{"blocked", blocked},
	{"masked", masked},
	{"reading", reading},
	{"calling", calling},
	{"threads", threads},
	{"detached", detached},
	{"stubborn", ignoring},
	{"pause", pausing},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
