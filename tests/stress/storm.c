/* SPDX-License-Identifier: MIT */
/*
 * Sending and taking the storm's signals, see storm.h.
 *
 * A real-time signal is queued as often as it is sent, so the sender stops
 * at a backlog of a few per thread: a target that handles slower than we
 * send must not drown. The standard ones collapse while pending.
 */
#define _GNU_SOURCE
#include "storm.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#define BACKLOG 6
#define MAX_SLACK 200
#define ALT_STACK (128 * 1024)

void (*storm_hook)(struct storm_target *t);

static _Thread_local struct storm_target *me;

static int storm_signal(unsigned i)
{
	switch (i % STORM_SIGNALS) {
	case 0:
		return SIGUSR1;
	case 1:
		return SIGUSR2;
	case 2:
		return SIGRTMIN + 1;
	default:
		return SIGRTMIN + 2;
	}
}

/* None of these may fail with EINTR, however many signals come. */
static void probe(struct storm_target *t)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 7};
	uint64_t value = 1;

	bad(EAGAIN, read(t->probe_efd, &value, sizeof(value)));
	must(epoll_wait(t->probe_ep, &ev, 1, 0) == 0, "probe: event or error");
	ev.events = EPOLLIN;
	good(epoll_ctl(t->probe_ep, EPOLL_CTL_MOD, t->probe_efd, &ev));
}

static void on_storm(int sig)
{
	struct storm_target *t = me;
	int saved = errno;

	must(t, "signal %d in a thread that takes none", sig);
	must(!t->only_inside || atomic_load(&t->inside),
		"signal %d handled where it is blocked (%s)", sig,
		atomic_load(&t->doing));
	unsigned bit = 0;

	while (storm_signal(bit) != sig)
		bit++;
	t->active |= 1u << bit;
	long nr = atomic_fetch_add(&t->handled, 1);

	if (sig >= SIGRTMIN)
		atomic_fetch_sub(&t->queued, 1);
	/* Two handlers must not use the probe at once: one level only. */
	if (nr % 4 == 0 && nr == atomic_load(&t->left))
		probe(t);
	for (volatile int i = 0; i < (int)(nr % 7) * 100; i++)
		;
	if (storm_hook)
		storm_hook(t);
	atomic_fetch_add(&t->left, 1);
	t->active &= ~(1u << bit);
	errno = saved;
}

void storm_set(sigset_t *set)
{
	sigemptyset(set);
	for (unsigned i = 0; i < STORM_SIGNALS; i++)
		sigaddset(set, storm_signal(i));
}

void storm_install(void)
{
	for (unsigned i = 0; i < STORM_SIGNALS; i++) {
		struct sigaction sa = {.sa_handler = on_storm};

		sa.sa_flags = (i % 2 == 0 ? SA_RESTART : 0) |
			      (i / 2 == 1 ? SA_ONSTACK : 0);
		good(sigaction(storm_signal(i), &sa, NULL));
	}
}

void storm_enter(struct storm_target *t)
{
	stack_t ss = {.ss_size = ALT_STACK};

	t->probe_ep = x_epoll();
	t->probe_efd = x_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	x_add(t->probe_ep, t->probe_efd, EPOLLIN, 7);
	t->stack = malloc(ALT_STACK);
	ss.ss_sp = t->stack;
	good(sigaltstack(&ss, NULL));
	t->tid = stress_gettid();
	t->thread = pthread_self();
	me = t;
	atomic_store(&t->ready, true);
}

/* Preconditions: the storm has stopped. */
void storm_leave(struct storm_target *t)
{
	stack_t off = {.ss_flags = SS_DISABLE};

	must(atomic_load(&t->handled) == atomic_load(&t->left),
		"%ld handlers entered, %ld left", atomic_load(&t->handled),
		atomic_load(&t->left));
	x_close(t->probe_efd);
	x_close(t->probe_ep);
	good(sigaltstack(&off, NULL));
	free(t->stack);
}

bool storm_raise(struct storm_target *t)
{
	for (unsigned i = 0; i < STORM_SIGNALS; i++) {
		if (t->active & 1u << i)
			continue;
		if (storm_signal(i) >= SIGRTMIN)
			atomic_fetch_add(&t->queued, 1);
		good(syscall(SYS_tgkill, getpid(), t->tid, storm_signal(i)));
		return true;
	}
	return false;
}

/*
 * On a machine that is busy otherwise, signals may come faster than a handler
 * returns: each return is cut off by the next, and the threads get nowhere. So
 * the storm slackens while most signals find their thread in a handler.
 */
static void adapt(struct storm *s, const struct storm_target *t)
{
	bool inside = atomic_load(&t->handled) != atomic_load(&t->left);

	if (inside && s->slack < MAX_SLACK)
		s->slack++;
	else if (!inside && s->slack > 0)
		s->slack--;
}

static void send_one(struct storm *s, struct stress_rng *rng)
{
	struct storm_target *t = &s->targets[stress_below(rng, s->count)];
	int sig = storm_signal((unsigned)stress_rand(rng));

	if (!atomic_load(&t->ready))
		return;
	adapt(s, t);
	if (sig >= SIGRTMIN) {
		if (atomic_load(&t->queued) >= BACKLOG)
			return;
		atomic_fetch_add(&t->queued, 1);
	}
	atomic_fetch_add(&t->sent, 1);
	int err = pthread_kill(t->thread, sig);

	must(err == 0, "pthread_kill: %s", strerror(err));
	s->total++;
}

static void *storm_thread(void *arg)
{
	struct storm *s = arg;
	struct stress_rng rng;

	stress_seed(&rng, s->stream);
	while (!atomic_load(&s->stop)) {
		unsigned burst = 1 + stress_below(&rng, 4);

		while (burst--)
			send_one(s, &rng);
		stress_sleep_us(stress_below(
			&rng, 2 * s->gap_us * (1 + s->slack / 4) + 1));
	}
	return NULL;
}

static void on_first(int sig)
{
	(void)sig;
}

/* It is over when its handler has returned. */
void storm_send_first(void)
{
	struct sigaction sa = {.sa_handler = on_first}, before;

	good(sigaction(SIGURG, &sa, &before));
	good(raise(SIGURG));
	good(sigaction(SIGURG, &before, NULL));
}

void storm_start(struct storm *s)
{
	storm_send_first();
	atomic_store(&s->stop, false);
	if (!s->gap_us)
		s->gap_us = 100;
	s->gap_us *= stress.gap;
	must(!pthread_create(&s->thread, NULL, storm_thread, s), "thread");
}

void storm_stop(struct storm *s)
{
	atomic_store(&s->stop, true);
	pthread_join(s->thread, NULL);
}

void storm_dump(const struct storm_target *t, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const char *doing = atomic_load(&t[i].doing);

		dprintf(2,
			"# thread %d: %s, signals %ld sent, %ld in, %ld out\n",
			t[i].tid, doing ? doing : "-", atomic_load(&t[i].sent),
			atomic_load(&t[i].handled), atomic_load(&t[i].left));
	}
}
