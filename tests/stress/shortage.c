/* SPDX-License-Identifier: MIT */
/*
 * The supervisor is short of memory: calls may fail with ENOMEM, and then they
 * took no effect; no other difference is allowed. Or it is short of descriptors
 * (the machine's table is full): calls may fail for that as well, and every one
 * has an answer.
 *
 * The driver preloads a library into epemu that has allocations fail at random
 * once the file SHORTAGE_MARK is there, or descriptors if it has a text.
 * Signals come all the while memory is short, so that answers are lost and have
 * to be remembered.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/time.h>

static volatile sig_atomic_t signals, blocked_signals;
static _Atomic long refused, added_up;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

static void on_blocked(int sig)
{
	(void)sig;
	blocked_signals++;
}

/* Did the call take effect? It may have been refused. */
static bool done(const char *what, long result)
{
	if (result >= 0)
		return true;
	must(errno == ENOMEM, "%s: %s", what, strerror(errno));
	refused++;
	return false;
}

/* The same, and a descriptor may be what there is none of. */
static bool scarce(const char *what, long result)
{
	if (result >= 0)
		return true;
	if (errno != EMFILE && errno != ENFILE && errno != EAGAIN)
		return done(what, result);
	atomic_fetch_add(&refused, 1);
	return false;
}

static void begin_shortage(void)
{
	const char *mark = getenv("SHORTAGE_MARK");
	struct itimerval every = {{0, 500}, {0, 500}};
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	if (mark)
		good(open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void end_shortage(void)
{
	const char *mark = getenv("SHORTAGE_MARK");

	if (mark)
		unlink(mark);
	stress_ok("%ld refused, %d signals", (long)refused, (int)signals);
}

static void transfers(void)
{
	int ev = x_eventfd(0, EFD_NONBLOCK);
	uint64_t value = 1, got;
	long put = 0;

	begin_shortage();
	for (long i = 0; i < stress_count(4000); i++) {
		if (done("write", write(ev, &value, sizeof(value))))
			put++;
		if (i % 3)
			continue;
		if (!done("read", read(ev, &got, sizeof(got))))
			continue;
		must((long)got == put, "%ld were added, %ld taken", put,
			(long)got);
		put = 0;
	}
	end_shortage();
}

static void items(void)
{
	int ev = x_eventfd(1, EFD_NONBLOCK), ep = x_epoll();
	struct epoll_event e = {.events = EPOLLIN};
	bool there = false;

	begin_shortage();
	for (long i = 0; i < stress_count(3000); i++) {
		int op = there ? EPOLL_CTL_DEL : EPOLL_CTL_ADD;

		e.events = i & 2 ? EPOLLIN : EPOLLIN | EPOLLRDHUP;
		if (done("epoll_ctl", epoll_ctl(ep, op, ev, &e)))
			there = !there;
		e.events = 0;
		long n = epoll_wait(ep, &e, 1, 0);

		if (n >= 0 || errno != ENOMEM)
			must(n == there, "%ld events, item there: %d", n,
				there);
		if (n < 0)
			refused++;
	}
	end_shortage();
}

/* No signal gets in that the wait's own mask blocks. */
static void masks(void)
{
	int ep = x_epoll();
	struct epoll_event e;
	struct sigaction sa = {.sa_handler = on_blocked};
	sigset_t mask;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	raise(SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	begin_shortage();
	for (long i = 0; i < stress_count(500); i++) {
		int n = epoll_pwait(ep, &e, 1, 1, &mask);

		must(n == 0 || errno == EINTR || errno == ENOMEM, "wait: %s",
			strerror(errno));
		refused += n < 0 && errno == ENOMEM;
		must(!blocked_signals, "a handler ran that the mask blocks");
	}
	end_shortage();
}

/* Its mask lets a pending signal in: no wait sleeps without it. */
static void masks_in_force(void)
{
	int ep = x_epoll();
	struct epoll_event e;
	struct sigaction sa = {.sa_handler = on_blocked};
	sigset_t mask, none;

	sigaction(SIGUSR1, &sa, NULL);
	sigemptyset(&none);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	begin_shortage();
	for (long i = 0; i < stress_count(300); i++) {
		int before = blocked_signals;

		raise(SIGUSR1);
		while (blocked_signals == before) {
			int n = epoll_pwait(ep, &e, 1, 5000, &none);

			must(n < 0, "a pending signal was not let in");
			must(errno == EINTR || errno == ENOMEM, "wait: %s",
				strerror(errno));
			refused += errno == ENOMEM;
		}
	}
	end_shortage();
}

/* One of many threads that the supervisor has not seen before. */
static void *newcomer(void *arg)
{
	struct epoll_event e = {.events = EPOLLIN};
	uint64_t value = 1, got = 0;
	int *ev = arg;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	sigset_t mask;
	bool added;

	if (!scarce("epoll_create1", ep))
		return NULL;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	if (scarce("write", write(*ev, &value, sizeof(value))))
		atomic_fetch_add(&added_up, 1);
	added = scarce("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, *ev, &e));
	for (int i = 0; i < 4; i++) {
		int n = epoll_pwait(ep, &e, 1, 1, i % 2 ? &mask : NULL);

		if (scarce("epoll_pwait", n))
			must(n == 0 || added, "an event of nothing");
	}
	if (scarce("read", read(*ev, &got, sizeof(got))))
		atomic_fetch_sub(&added_up, (long)got);
	x_close(ep);
	return NULL;
}

static void descriptors(void)
{
	const char *mark = getenv("SHORTAGE_MARK");
	int ev = x_eventfd(0, EFD_NONBLOCK);
	uint64_t got = 0;
	pthread_t thread[4];

	if (mark) {
		int fd = (int)good(
			open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

		good(write(fd, "descriptors\n", 12));
		x_close(fd);
	}
	for (long i = 0; i < stress_count(400); i++) {
		for (int k = 0; k < 4; k++)
			must(pthread_create(&thread[k], NULL, newcomer, &ev) ==
					0,
				"pthread_create");
		for (int k = 0; k < 4; k++)
			pthread_join(thread[k], NULL);
	}
	end_shortage();
	if (read(ev, &got, sizeof(got)) < 0)
		must(errno == EAGAIN, "read: %s", strerror(errno));
	must(added_up == (long)got, "%ld are left, not %ld", (long)got,
		(long)added_up);
}

int main(int argc, char **argv)
{
	static const struct stress_case cases[] = {
		{"transfers", transfers},
		{"items", items},
		{"masks", masks},
		{"masks-in-force", masks_in_force},
		{"descriptors", descriptors},
		{NULL, NULL},
	};

	return stress_main(argc, argv, cases);
}
