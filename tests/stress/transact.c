/* SPDX-License-Identifier: MIT */
/*
 * Producers, waiters and signals: is every delivery made, and made once?
 *
 * Producers write to channels of every kind, waiters learn of it from epoll
 * and read, a storm of signals hits them all. What must hold:
 * - nothing lost: the producers stop every few milliseconds, and then the
 *   waiters must drain every channel without a further write; else the
 *   watchdog bites;
 * - nothing invented: the sums agree; an event of a channel that only its
 *   receiver may read finds data; a one-shot item is at one waiter at a
 *   time and is delivered no more often than it was armed; an edge of an
 *   eventfd is delivered no more often than it was written;
 * - EINTR comes only with a handler, never from a call that cannot wait;
 *   under epoll_pwait a handler runs only with EINTR.
 */
#define _GNU_SOURCE
#include "channel.h"
#include "storm.h"
#include <sched.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define CHANNELS 9
#define MAX_WAITERS 5
#define PRODUCERS 3
#define INNER 3
#define TAG UINT64_C(0xc0ffee5700000000)
#define TAG_INNER UINT64_C(0xabcdef0100000000)
#define STOP UINT64_MAX

enum mode { LEVEL, EDGE, ONESHOT, EXCLUSIVE, NESTED };

struct plan {
	const char *name;
	enum mode mode;
	unsigned waiters;
	bool timeouts; /* waits end by themselves as well */
	bool pwait; /* signals are let in by epoll_pwait's mask alone */
	bool stopped; /* SIGSTOP and SIGCONT from outside */
};

static const struct plan plans[] = {
	{.name = "level", .mode = LEVEL, .waiters = 4},
	{.name = "edge", .mode = EDGE, .waiters = 4},
	{.name = "edge-single", .mode = EDGE, .waiters = 1},
	{.name = "edge-timeouts", .mode = EDGE, .waiters = 4, .timeouts = true},
	{.name = "oneshot", .mode = ONESHOT, .waiters = 4},
	{.name = "oneshot-timeouts",
		.mode = ONESHOT,
		.waiters = 5,
		.timeouts = true},
	{.name = "exclusive", .mode = EXCLUSIVE, .waiters = 4},
	{.name = "nested", .mode = NESTED, .waiters = 3},
	{.name = "pwait", .mode = ONESHOT, .waiters = 3, .pwait = true},
	{.name = "pwait-timeouts",
		.mode = EDGE,
		.waiters = 3,
		.pwait = true,
		.timeouts = true},
	{.name = "stopped", .mode = EDGE, .waiters = 3, .stopped = true},
};

static struct {
	struct plan plan;
	struct channel ch[CHANNELS];
	int ep[MAX_WAITERS]; /* [0] alone unless EXCLUSIVE */
	int inner[INNER];
	int control;
	struct storm_target target[MAX_WAITERS + PRODUCERS];
	_Atomic bool producers_stop, hold;
	long rounds;
	_Atomic bool storm_over;
	_Atomic long interrupted, empty, events;
} run;

static void dump(void)
{
	channel_dump(run.ch, CHANNELS);
	storm_dump(run.target, run.plan.waiters + PRODUCERS);
}

static int wait_once(struct storm_target *t, int ep, struct epoll_event *ev,
	int max, unsigned how, int timeout_ms)
{
	struct timespec ts = {0, timeout_ms * 300000L};
	struct timespec *tsp = timeout_ms < 0 ? NULL : &ts;
	sigset_t none, *mask = run.plan.pwait ? &none : NULL;
	int n;

	sigemptyset(&none);
	atomic_store(&t->inside, true);
	if (how == 0 && !mask)
		n = epoll_wait(ep, ev, max, timeout_ms);
	else if (how <= 1)
		n = epoll_pwait(ep, ev, max, timeout_ms, mask);
	else
		n = epoll_pwait2(ep, ev, max, tsp, mask);
	int err = errno;

	atomic_store(&t->inside, false);
	errno = err;
	return n;
}

static int wait_events(struct storm_target *t, struct stress_rng *rng, int ep,
	struct epoll_event *ev, int max)
{
	static const int timeouts[] = {-1, 0, 1, 5};
	int timeout_ms =
		run.plan.timeouts ? timeouts[stress_below(rng, 4)] : -1;
	long before = atomic_load(&t->handled);

	atomic_store(&t->doing, "wait");
	int n = wait_once(t, ep, ev, max, stress_below(rng, 3), timeout_ms);

	if (n >= 0) {
		must(n <= max, "%d events of %d", n, max);
		must(n > 0 || timeout_ms >= 0, "endless wait gave 0");
		must(!run.plan.pwait || before == atomic_load(&t->handled),
			"epoll_pwait gave %d and ran a handler", n);
		return n;
	}
	must(errno == EINTR, "wait: %s", strerror(errno));
	must(timeout_ms != 0, "EINTR from a wait with timeout 0");
	must(run.plan.stopped || before != atomic_load(&t->handled),
		"EINTR without a signal");
	atomic_fetch_add(&run.interrupted, 1);
	return 0;
}

static uint32_t mask_of(unsigned i)
{
	switch (run.plan.mode) {
	case EDGE:
		return EPOLLIN | EPOLLET | (i % 2 ? EPOLLRDHUP : 0);
	case ONESHOT:
		return EPOLLIN | EPOLLONESHOT | (i % 2 ? EPOLLET : 0);
	case EXCLUSIVE:
		return EPOLLIN | EPOLLEXCLUSIVE | (i % 2 ? EPOLLET : 0);
	default:
		return EPOLLIN;
	}
}

static void drain(struct channel *ch)
{
	pthread_mutex_lock(&ch->rlock);
	while (channel_take(ch, 4096))
		;
	pthread_mutex_unlock(&ch->rlock);
}

/* Short reads have a way of their own under epemu: many of them. */
static size_t take_size(struct stress_rng *rng)
{
	return 1 + stress_below(rng, stress_below(rng, 4) ? 4096 : 8);
}

static void serve_oneshot(
	unsigned i, unsigned self, int ep, struct stress_rng *rng)
{
	struct channel *ch = &run.ch[i];
	int owner = 0;

	must(atomic_compare_exchange_strong(&ch->owner, &owner, (int)self + 1),
		"one-shot %u at waiter %u while at %d", i, self, owner - 1);
	must(channel_take(ch, take_size(rng)),
		"one-shot event of channel %u, but nothing to read", i);
	while (stress_below(rng, 2) && channel_take(ch, 4096))
		;
	atomic_store(&ch->owner, 0);
	atomic_fetch_add(&ch->armed, 1);
	if (stress_below(rng, 8)) {
		x_mod(ep, ch->rfd, mask_of(i), TAG | i);
	} else {
		x_del(ep, ch->rfd);
		x_add(ep, ch->rfd, mask_of(i), TAG | i);
	}
}

static void serve(unsigned i, unsigned self, int ep, struct stress_rng *rng)
{
	struct channel *ch = &run.ch[i];
	bool first;

	atomic_fetch_add(&ch->delivered, 1);
	if (run.plan.mode == ONESHOT) {
		serve_oneshot(i, self, ep, rng);
		return;
	}
	pthread_mutex_lock(&ch->rlock);
	first = channel_take(ch, take_size(rng));
	if (!first)
		atomic_fetch_add(&run.empty, 1);
	must(first || run.plan.waiters > 1,
		"event of channel %u for its only reader, but nothing there",
		i);
	if (run.plan.mode != LEVEL)
		while (channel_take(ch, 4096))
			;
	pthread_mutex_unlock(&ch->rlock);
}

/* An edge of an inner epoll: take all it has, edges do not come again. */
static void serve_inner(unsigned k)
{
	struct epoll_event ev[4];
	int n;

	must(k < INNER, "inner epoll %u", k);
	while ((n = (int)good(epoll_wait(run.inner[k], ev, 4, 0))) > 0)
		for (int i = 0; i < n; i++) {
			must((ev[i].data.u64 & ~UINT64_C(0xff)) == TAG,
				"data %llx",
				(unsigned long long)ev[i].data.u64);
			drain(&run.ch[ev[i].data.u64 & 0xff]);
		}
}

/* False for the order to stop. */
static bool serve_event(const struct epoll_event *ev, unsigned self, int ep,
	struct stress_rng *rng)
{
	uint64_t data = ev->data.u64;

	if (data == STOP)
		return false;
	atomic_fetch_add(&run.events, 1);
	must(ev->events & EPOLLIN, "event %x", ev->events);
	if ((data & ~UINT64_C(0xff)) == TAG_INNER) {
		serve_inner(data & 0xff);
		return true;
	}
	must((data & ~UINT64_C(0xff)) == TAG && (data & 0xff) < CHANNELS,
		"event with data %llx", (unsigned long long)data);
	serve(data & 0xff, self, ep, rng);
	return true;
}

/* Signals may come until storm_over, so nobody leaves earlier. */
static void leave(struct storm_target *t)
{
	atomic_store(&t->doing, "leave");
	while (!atomic_load(&run.storm_over))
		stress_sleep_us(500);
	storm_leave(t);
}

static void *waiter(void *arg)
{
	struct storm_target *t = arg;
	unsigned self = (unsigned)(t - run.target);
	int ep = run.ep[run.plan.mode == EXCLUSIVE ? self : 0];
	struct epoll_event ev[4];
	struct stress_rng rng;
	bool go = true;

	stress_seed(&rng, 100 + self);
	t->only_inside = run.plan.pwait;
	storm_enter(t);
	while (go) {
		int n = wait_events(t, &rng, ep, ev,
			1 + (int)stress_below(&rng, ARRAY_LEN(ev)));

		atomic_store(&t->doing, "serve");
		for (int i = 0; i < n; i++)
			go &= serve_event(&ev[i], self, ep, &rng);
	}
	leave(t);
	return NULL;
}

static void *producer(void *arg)
{
	struct storm_target *t = arg;
	struct stress_rng rng;
	sigset_t set;

	/* The pwait plan blocks the storm's signals for the waiters alone. */
	storm_set(&set);
	stress_seed(&rng, 200 + (unsigned)(t - run.target));
	storm_enter(t);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while (!atomic_load(&run.producers_stop)) {
		unsigned i = stress_below(&rng, CHANNELS);

		atomic_store(&t->doing, "write");
		if (!channel_put(&run.ch[i], &rng))
			sched_yield();
		atomic_store(&t->doing, "pause");
		if (stress_below(&rng, 3) == 0)
			stress_sleep_us(stress_below(&rng, 200));
		atomic_store(&t->doing, "hold");
		while (atomic_load(&run.hold))
			stress_sleep_us(200);
	}
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	leave(t);
	return NULL;
}

static void setup_epolls(void)
{
	unsigned n = run.plan.mode == EXCLUSIVE ? run.plan.waiters : 1;

	run.control = x_eventfd(0, EFD_CLOEXEC);
	for (unsigned e = 0; e < n; e++) {
		run.ep[e] = x_epoll();
		x_add(run.ep[e], run.control, EPOLLIN, STOP);
	}
	for (unsigned k = 0; run.plan.mode == NESTED && k < INNER; k++) {
		run.inner[k] = x_epoll();
		x_add(run.ep[0], run.inner[k],
			EPOLLIN | (k % 2 == 0 ? EPOLLET : 0), TAG_INNER | k);
	}
	for (unsigned i = 0; i < CHANNELS; i++) {
		channel_open(&run.ch[i], i % CHANNEL_KINDS);
		atomic_store(&run.ch[i].armed, 1);
		for (unsigned e = 0; e < n; e++) {
			int ep = run.plan.mode == NESTED ? run.inner[i % INNER]
							 : run.ep[e];
			x_add(ep, run.ch[i].rfd, mask_of(i), TAG | i);
		}
	}
}

static bool drained(void)
{
	for (unsigned i = 0; i < CHANNELS; i++)
		if (atomic_load(&run.ch[i].produced) !=
			atomic_load(&run.ch[i].consumed))
			return false;
	return true;
}

static void check_counts(void)
{
	for (unsigned i = 0; i < CHANNELS; i++) {
		struct channel *ch = &run.ch[i];
		long delivered = atomic_load(&ch->delivered);

		must(atomic_load(&ch->produced) == atomic_load(&ch->consumed),
			"channel %u: sums differ", i);
		must(run.plan.mode != ONESHOT ||
				delivered <= atomic_load(&ch->armed),
			"one-shot %u delivered %ld times, armed %ld", i,
			delivered, atomic_load(&ch->armed));
		must(run.plan.mode != EDGE || !channel_is_eventfd(ch) ||
				delivered <= atomic_load(&ch->writes),
			"edge %u delivered %ld times, written %ld", i,
			delivered, atomic_load(&ch->writes));
		channel_close(ch);
	}
}

static void await_producers(const char *doing)
{
	for (unsigned i = 0; i < PRODUCERS; i++) {
		struct storm_target *t = &run.target[run.plan.waiters + i];

		while (strcmp(atomic_load(&t->doing), doing))
			stress_sleep_us(200);
	}
	/* Each sum must meet the other with no further write. */
	while (!drained())
		stress_sleep_us(200);
}

static void rounds(void)
{
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);
	struct stress_rng rng;

	stress_seed(&rng, 400);
	while (stress_now_ns() < end) {
		stress_sleep_us(1000 + stress_below(&rng, 20000));
		atomic_store(&run.hold, true);
		await_producers("hold");
		run.rounds++;
		atomic_store(&run.hold, false);
	}
}

static void finish(struct storm *storm, const pthread_t *thread, unsigned n)
{
	long writes = 0;

	atomic_store(&run.producers_stop, true);
	await_producers("leave");
	storm_stop(storm);
	if (run.plan.mode != EXCLUSIVE)
		x_wait0(run.ep[0]);
	atomic_store(&run.storm_over, true);
	x_put(run.control, 1);
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
	check_counts();
	for (unsigned i = 0; i < CHANNELS; i++)
		writes += atomic_load(&run.ch[i].writes);
	stress_ok("%ld rounds, %ld writes, %ld events, %ld empty, "
		  "%ld signals, %ld EINTR",
		run.rounds, writes, atomic_load(&run.events),
		atomic_load(&run.empty), storm->total,
		atomic_load(&run.interrupted));
}

static void traffic(void)
{
	unsigned n = run.plan.waiters + PRODUCERS;
	pthread_t thread[MAX_WAITERS + PRODUCERS];
	struct storm storm = {.targets = run.target, .count = n, .stream = 1};
	sigset_t set;

	stress_on_watchdog(dump);
	storm_install();
	setup_epolls();
	storm_set(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (unsigned i = 0; i < n; i++) {
		bool is_waiter = i < run.plan.waiters;

		if (is_waiter && !run.plan.pwait)
			pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		else
			pthread_sigmask(SIG_BLOCK, &set, NULL);
		atomic_store(&run.target[i].doing, "start");
		must(!pthread_create(&thread[i], NULL,
			     is_waiter ? waiter : producer, &run.target[i]),
			"thread");
	}
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	storm_start(&storm);
	rounds();
	finish(&storm, thread, n);
}

static void go(void)
{
	const struct plan *plan = plans;

	while (strcmp(plan->name, stress.what))
		plan++;
	run.plan = *plan;
	traffic();
}

static void stopped(void)
{
	struct stress_rng rng;
	long stops = 0;
	int status = 0;
	pid_t pid = stress_fork();

	if (pid == 0) {
		go();
		_exit(0);
	}
	stress_seed(&rng, 300);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		good(kill(pid, SIGSTOP));
		stress_sleep_us(stress_below(&rng, 3000));
		good(kill(pid, SIGCONT));
		stress_sleep_us(stress_below(&rng, 10000));
		stops++;
	}
	must(status == 0, "child's status 0x%x", (unsigned)status);
	must(stops > 0, "never stopped");
}

static const struct stress_case cases[] = {
	{"level", go},
	{"edge", go},
	{"edge-single", go},
	{"edge-timeouts", go},
	{"oneshot", go},
	{"oneshot-timeouts", go},
	{"exclusive", go},
	{"nested", go},
	{"pwait", go},
	{"pwait-timeouts", go},
	{"stopped", stopped},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
