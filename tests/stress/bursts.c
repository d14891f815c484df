/* SPDX-License-Identifier: MIT */
/*
 * All threads get signals at the same moment, and then none for a while. Of the
 * calls that are cut off together each takes effect once: what happened twice,
 * or not at all, shows in a result or in the sums.
 */
#define _GNU_SOURCE
#include "storm.h"

#define WORKERS 4

static struct worker {
	struct storm_target target;
	pthread_t thread;
	int counter;
	long added;
	_Atomic long turns;
} worker[WORKERS];

static _Atomic bool over; /* no signal comes any more */

static void dump(void)
{
	for (int i = 0; i < WORKERS; i++)
		storm_dump(&worker[i].target, 1);
}

/* Each result is known. */
static void one_turn(struct worker *w, int ep, int efd)
{
	struct storm_target *t = &w->target;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};

	atomic_store(&t->doing, "write");
	x_put(w->counter, 1);
	w->added++;
	atomic_store(&t->doing, "ctl and edge");
	x_put(efd, 1);
	good(epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev));
	must(x_wait1(ep, 0, NULL) == 0, "wrong data");
	x_wait0(ep);
	must(x_take(efd) == 1, "wrong count");
	x_del(ep, efd);
	atomic_store(&t->doing, "create");
	x_close(x_eventfd(0, 0));
	x_close(x_epoll());
	atomic_fetch_add(&w->turns, 1);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	int ep = x_epoll();
	int efd = x_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	storm_enter(&w->target);
	while (!atomic_load(&over))
		one_turn(w, ep, efd);
	storm_leave(&w->target);
	x_close(efd);
	x_close(ep);
	return NULL;
}

static void send_to_all(int sig)
{
	for (int i = 0; i < WORKERS; i++)
		good(syscall(SYS_tgkill, getpid(), worker[i].target.tid, sig));
}

/* Two in a row, since the second finds calls that the first has cut off. */
static long bursts(const int sig[2])
{
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);
	struct stress_rng rng;
	long sent = 0;

	stress_seed(&rng, 500);
	for (; stress_now_ns() < end; sent++) {
		send_to_all(sig[0]);
		stress_sleep_us(stress_below(&rng, 1000));
		send_to_all(sig[1]);
		stress_sleep_us(stress_below(
			&rng, stress_below(&rng, 2) ? 4000 : 40000));
	}
	return sent;
}

static void start(void)
{
	sigset_t set;

	stress_on_watchdog(dump);
	storm_install();
	for (int i = 0; i < WORKERS; i++) {
		worker[i].counter = x_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		must(!pthread_create(&worker[i].thread, NULL, work, &worker[i]),
			"thread");
	}
	storm_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < WORKERS; i++)
		while (!atomic_load(&worker[i].target.ready))
			stress_sleep_us(100);
	storm_send_first();
}

static long finish(void)
{
	long turns = 0;

	atomic_store(&over, true);
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &worker[i];

		pthread_join(w->thread, NULL);
		must(atomic_load(&w->turns) > 0, "thread %d did nothing", i);
		must((long)x_take(w->counter) == w->added,
			"thread %d: %ld written", i, w->added);
		x_close(w->counter);
		turns += atomic_load(&w->turns);
	}
	return turns;
}

static void under(int first, int second)
{
	const int sig[2] = {first, second};
	int fds = stress_count_fds();
	long sent, turns;

	start();
	sent = bursts(sig);
	turns = finish();
	must(stress_count_fds() == fds, "descriptors %d to %d", fds,
		stress_count_fds());
	stress_ok("%ld turns, %ld bursts", turns, sent);
}

/* storm_install(): the first of them with SA_RESTART. */
static void restart(void)
{
	under(SIGUSR1, SIGUSR1);
}

static void interrupt(void)
{
	under(SIGUSR2, SIGUSR2);
}

static void mixed(void)
{
	under(SIGUSR1, SIGUSR2);
}

static const struct stress_case cases[] = {
	{"restart", restart},
	{"interrupt", interrupt},
	{"mixed", mixed},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
