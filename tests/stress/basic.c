/* SPDX-License-Identifier: MIT */
/*
 * The ordinary calls in one go, for cases that are about the process which
 * makes them: see stress_basic_calls() in stress.h.
 *
 * The signal comes from a periodic timer, so that one which arrives before
 * the wait has begun is followed by one which does not.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void plain_calls(void)
{
	struct itimerspec soon = {.it_value.tv_nsec = 2000000};
	struct epoll_event ev = {.events = EPOLLIN};
	int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int tfd = (int)good(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
	uint64_t v;

	x_add(ep, efd, EPOLLIN | EPOLLET, 11);
	x_wait0(ep);
	bad(EAGAIN, read(efd, &v, sizeof(v)));
	x_put(efd, 5);
	must(x_wait1(ep, -1, NULL) == 11, "wrong data");
	x_wait0(ep);
	must(x_take(efd) == 5, "wrong count");
	x_add(ep, tfd, EPOLLIN | EPOLLONESHOT, 12);
	good(timerfd_settime(tfd, 0, &soon, NULL));
	must(x_wait1(ep, -1, NULL) == 12, "wrong data");
	x_mod(ep, tfd, EPOLLIN | EPOLLONESHOT, 13);
	must(x_wait1(ep, 0, NULL) == 13, "wrong data");
	x_del(ep, tfd);
	bad(EEXIST, epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev));
	bad(ENOENT, epoll_ctl(ep, EPOLL_CTL_MOD, tfd, &ev));
	x_close(tfd);
	x_close(efd);
	x_close(ep);
}

static void *give_one(void *arg)
{
	x_put(*(int *)arg, 1);
	return NULL;
}

/* A blocked read and a blocked wait, each ended by another thread. */
static void blocking_calls(void)
{
	int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC);
	pthread_t thread;

	must(!pthread_create(&thread, NULL, give_one, &efd), "thread");
	must(x_take(efd) == 1, "wrong count");
	pthread_join(thread, NULL);
	x_add(ep, efd, EPOLLIN, 14);
	must(!pthread_create(&thread, NULL, give_one, &efd), "thread");
	must(x_wait1(ep, -1, NULL) == 14, "wrong data");
	pthread_join(thread, NULL);
	x_close(efd);
	x_close(ep);
}

static void interrupted_calls(int ep)
{
	struct epoll_event ev;
	sigset_t set, none, now;

	handled = 0;
	bad(EINTR, epoll_wait(ep, &ev, 1, -1));
	must(handled > 0, "EINTR, but no handler ran");
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	good(pthread_sigmask(SIG_BLOCK, &set, NULL));
	handled = 0;
	bad(EINTR, epoll_pwait(ep, &ev, 1, -1, &none));
	must(handled > 0, "EINTR, but no handler ran");
	pthread_sigmask(SIG_BLOCK, NULL, &now);
	must(sigismember(&now, SIGUSR1) == 1, "the old mask is not back");
}

static void signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	struct sigevent sev = {.sigev_notify = SIGEV_SIGNAL};
	struct itimerspec often = {{0, 5000000}, {0, 5000000}};
	int ep = x_epoll();
	sigset_t set;
	timer_t timer;

	sev.sigev_signo = SIGUSR1;
	good(sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	good(timer_create(CLOCK_MONOTONIC, &sev, &timer));
	good(timer_settime(timer, 0, &often, NULL));
	interrupted_calls(ep);
	good(timer_delete(timer));
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	x_close(ep);
}

void stress_plain_calls(void)
{
	plain_calls();
	blocking_calls();
}

void stress_basic_calls(void)
{
	stress_plain_calls();
	signals();
}

static struct {
	char *page;
	int fd;
	bool reads;
	atomic_int tid;
} sleeper;

static void *sleep_into_page(void *unused)
{
	atomic_store(&sleeper.tid, stress_gettid());
	if (sleeper.reads)
		must(read(sleeper.fd, sleeper.page, 8) == 8, "read: %s",
			strerror(errno));
	else
		must(epoll_wait(sleeper.fd, (void *)sleeper.page, 4, -1) == 1,
			"wait: %s", strerror(errno));
	return unused;
}

/* The sleeper is asleep when this returns. */
static pthread_t start_sleeper(void)
{
	long nr = sleeper.reads ? SYS_read : NR_WAIT;
	pthread_t thread;

	atomic_store(&sleeper.tid, 0);
	must(pthread_create(&thread, NULL, sleep_into_page, NULL) == 0,
		"thread");
	while (!atomic_load(&sleeper.tid))
		stress_sleep_us(100);
	stress_wait_blocked(atomic_load(&sleeper.tid), nr,
		sleeper.reads ? nr : SYS_epoll_pwait);
	return thread;
}

void stress_page_goes(char *page, void (*drop)(char *page), long count)
{
	int ep = x_epoll(), efd = x_eventfd(0, 0);

	x_add(ep, efd, EPOLLIN, 5);
	sleeper.page = page;
	for (long i = 0; i < count; i++) {
		pthread_t thread;

		*page = 9; /* it is there */
		sleeper.reads = i % 2;
		sleeper.fd = sleeper.reads ? efd : ep;
		thread = start_sleeper();
		drop(page);
		x_put(efd, 1);
		must(pthread_join(thread, NULL) == 0, "join");
		if (!sleeper.reads)
			must(x_take(efd) == 1, "wrong count");
	}
	x_close(efd);
	x_close(ep);
}
