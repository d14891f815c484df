/* SPDX-License-Identifier: MIT */
/*
 * Children that share descriptors with us are killed in the middle of calls.
 *
 * What the kernel guarantees, and is checked here: a waiter that was asleep
 * when it was killed takes no later wake, event or count with it; a call
 * that was killed happened either wholly or not at all; a one-shot item that
 * a dead process had taken can be armed again by a survivor.
 *
 * What it does not guarantee: the kill of a waiter that has just been woken,
 * or was falling asleep, may swallow that wake. The next write heals it, so
 * where kills come at random a check allows itself one more write.
 */
#define _GNU_SOURCE
#include "channel.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#define CHANNELS 6
#define VICTIMS 3

static struct stress_rng rng;

static struct shared {
	_Atomic bool victim_got, survivor_got;
	_Atomic long started, finished;
} * sh;

static void setup(uint64_t stream)
{
	stress_seed(&rng, stream);
	sh = stress_shared(sizeof(*sh));
}

/* Takes the event and the count, and tells who it was. */
static void take_all(int ep, int efd, _Atomic bool *got)
{
	if (ep >= 0)
		must(x_wait1(ep, -1, NULL) == 4, "wrong data");
	uint64_t value = x_take(efd);

	must(value >= 5, "count %llu", (unsigned long long)value);
	atomic_store(got, true);
	_exit(0);
}

static pid_t start_taker(int ep, int efd, _Atomic bool *got)
{
	pid_t pid = stress_fork();

	if (pid == 0)
		take_all(ep, efd, got);
	return pid;
}

/* Killed asleep: the event that comes next is the survivor's, at once. */
static void wake_one(uint32_t mask, bool reads)
{
	int ep = reads ? -1 : x_epoll();
	int efd = x_eventfd(0, EFD_CLOEXEC);
	long nr = reads ? SYS_read : NR_WAIT;

	atomic_store(&sh->victim_got, false);
	if (!reads)
		x_add(ep, efd, mask, 4);
	pid_t survivor = start_taker(ep, efd, &sh->survivor_got);

	stress_wait_blocked(survivor, nr, __NR_epoll_pwait);
	/* The last to sleep is the first to be woken. */
	pid_t victim = start_taker(ep, efd, &sh->victim_got);

	stress_wait_blocked(victim, nr, __NR_epoll_pwait);
	good(kill(victim, SIGKILL));
	/*
	 * A reader that was killed, but has not run since, still takes the
	 * count: eventfd_read() looks at it before the signal.
	 */
	if (reads)
		must(waitpid(victim, NULL, 0) == victim, "waitpid");
	x_put(efd, 5);
	stress_join(survivor);
	if (!reads)
		must(waitpid(victim, NULL, 0) == victim, "waitpid");
	must(!atomic_load(&sh->victim_got), "the dead took the event");
	if (!reads)
		x_close(ep);
	x_close(efd);
}

static const uint32_t masks[] = {
	EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};

static void asleep(void)
{
	long count = stress_count(120);

	setup(1);
	for (long i = 0; i < count; i++)
		wake_one(masks[i % 3], i % 4 == 3);
	stress_ok("%ld killed asleep", count);
}

/* The same at any moment; true if one more write was needed. */
static bool wake_random(uint32_t mask)
{
	int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC);
	bool again = false;
	int status;

	atomic_store(&sh->survivor_got, false);
	atomic_store(&sh->victim_got, false);
	x_add(ep, efd, mask, 4);
	pid_t survivor = start_taker(ep, efd, &sh->survivor_got);
	pid_t victim = start_taker(ep, efd, &sh->victim_got);

	stress_sleep_us(stress_below(&rng, 1500));
	if (stress_below(&rng, 2))
		x_put(efd, 5);
	good(kill(victim, SIGKILL));
	must(waitpid(victim, &status, 0) == victim, "waitpid");
	/* A victim that got it may have died before it could tell. */
	x_put(efd, 5);
	for (int i = 0; i < 2000 && !atomic_load(&sh->survivor_got); i++)
		stress_sleep_us(i < 100 ? 50 : 1000);
	if (!atomic_load(&sh->survivor_got)) {
		again = true;
		x_mod(ep, efd, mask, 4);
		x_put(efd, 5);
	}
	stress_join(survivor);
	x_close(efd);
	x_close(ep);
	return again;
}

static void any_moment(void)
{
	long count = stress_count(150), again = 0;

	setup(2);
	for (long i = 0; i < count; i++)
		again += wake_random(masks[i % 2]);
	stress_ok("%ld killed, %ld healed by another write", count, again);
}

/* Killed in a blocked write: its value never arrives. */
static void blocked_writer(void)
{
	long count = stress_count(100);

	for (long i = 0; i < count; i++) {
		int efd = x_eventfd(0, EFD_CLOEXEC);
		uint64_t v;

		x_put(efd, UINT64_MAX - 1);
		pid_t pid = stress_fork();

		if (pid == 0) {
			x_put(efd, 7);
			_exit(0);
		}
		if (i % 2)
			stress_wait_blocked(pid, SYS_write, SYS_write);
		else
			stress_sleep_us((unsigned)(i * 37 % 1000));
		stress_kill(pid);
		must(x_take(efd) == UINT64_MAX - 1, "wrong count");
		x_nonblock(efd);
		bad(EAGAIN, read(efd, &v, sizeof(v)));
		x_close(efd);
	}
	stress_ok("%ld killed in a blocked write", count);
}

static void endless_units(int efd, bool writes)
{
	for (;;) {
		atomic_fetch_add(&sh->started, 1);
		if (writes)
			x_put(efd, 1);
		else
			must(x_take(efd) == 1, "wrong count");
		atomic_fetch_add(&sh->finished, 1);
	}
}

/* Wholly or not at all: the count lies between begun and ended calls. */
static void whole(void)
{
	long count = stress_count(100);

	setup(3);
	for (long i = 0; i < count; i++) {
		bool writes = i % 2;
		unsigned start = writes ? 0 : 1000000000u;
		int efd = x_eventfd(
			start, EFD_CLOEXEC | (writes ? 0 : EFD_SEMAPHORE));

		atomic_store(&sh->started, 0);
		atomic_store(&sh->finished, 0);
		if (writes)
			x_put(efd, 1);
		pid_t pid = stress_fork();

		if (pid == 0)
			endless_units(efd, writes);
		stress_sleep_us(stress_below(&rng, 4000));
		stress_kill(pid);
		long units = 0;

		x_nonblock(efd);
		if (writes) {
			units = (long)x_take(efd) - 1;
		} else {
			/* Put it to the limit: what fits is what was taken. */
			x_put(efd, UINT64_MAX - 1 - start);
			while (units <= atomic_load(&sh->started) &&
				write(efd, &(uint64_t){1}, 8) == 8)
				units++;
		}
		must(atomic_load(&sh->finished) <= units &&
				units <= atomic_load(&sh->started),
			"%ld units, %ld calls begun, %ld ended", units,
			atomic_load(&sh->started), atomic_load(&sh->finished));
		x_close(efd);
	}
	stress_ok("%ld killed, each call whole", count);
}

/* The dead had the one-shot event: whoever arms it again gets it. */
static void oneshot(void)
{
	long count = stress_count(150);

	setup(4);
	for (long i = 0; i < count; i++) {
		int ep = x_epoll(), efd = x_eventfd(1, EFD_CLOEXEC);
		struct epoll_event ev;

		x_add(ep, efd, EPOLLIN | EPOLLONESHOT, 4);
		pid_t pid = stress_fork();

		while (pid == 0) {
			good(epoll_wait(ep, &ev, 1, 1));
			x_mod(ep, efd, EPOLLIN | EPOLLONESHOT, 4);
		}
		stress_sleep_us(stress_below(&rng, 2000));
		stress_kill(pid);
		x_mod(ep, efd, EPOLLIN | EPOLLONESHOT, 8);
		must(x_wait1(ep, -1, NULL) == 8, "wrong data");
		x_wait0(ep);
		x_close(efd);
		x_close(ep);
	}
	stress_ok("%ld armed again", count);
}

/* epoll_ctl is whole, too: after the kill the item is there or it is not. */
static void control(void)
{
	long count = stress_count(150), there = 0;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 4};

	setup(5);
	for (long i = 0; i < count; i++) {
		int ep = x_epoll(), efd = x_eventfd(1, EFD_CLOEXEC);
		pid_t pid = stress_fork();

		while (pid == 0) {
			x_add(ep, efd, EPOLLIN, 4);
			x_del(ep, efd);
		}
		stress_sleep_us(stress_below(&rng, 2000));
		stress_kill(pid);
		if (epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev)) {
			must(errno == EEXIST, "ADD: %s", strerror(errno));
			there++;
		}
		must(x_wait1(ep, 0, NULL) == 4, "wrong data");
		x_del(ep, efd);
		x_wait0(ep);
		x_close(efd);
		x_close(ep);
	}
	stress_ok("%ld killed, the item was there %ld times", count, there);
}

static struct {
	struct channel ch[CHANNELS];
	int ep, control;
	_Atomic bool over;
	pid_t victim[VICTIMS];
	long kills;
} flow;

static void dump_flow(void)
{
	channel_dump(flow.ch, CHANNELS);
}

static void *survivor(void *arg)
{
	struct epoll_event ev;

	(void)arg;
	for (;;) {
		must(good(epoll_wait(flow.ep, &ev, 1, -1)) == 1, "wait");
		if (ev.data.u64 == CHANNELS)
			return NULL;
		struct channel *ch = &flow.ch[ev.data.u64];

		pthread_mutex_lock(&ch->rlock);
		channel_take(ch, 4096);
		pthread_mutex_unlock(&ch->rlock);
	}
}

static void *writer(void *arg)
{
	struct stress_rng own;

	(void)arg;
	stress_seed(&own, 77);
	while (!atomic_load(&flow.over)) {
		channel_put(&flow.ch[stress_below(&own, CHANNELS)], &own);
		if (stress_below(&own, 4) == 0)
			stress_sleep_us(stress_below(&own, 300));
	}
	return NULL;
}

/* Takes events, reads nothing: the level stays for the survivors. */
static void victim_loop(void)
{
	struct epoll_event ev[2];

	for (;;) {
		good(epoll_wait(flow.ep, ev, 2, -1));
		stress_sleep_us(100);
	}
}

static void replace_victim(void)
{
	unsigned i = stress_below(&rng, VICTIMS);

	if (flow.victim[i]) {
		stress_kill(flow.victim[i]);
		flow.kills++;
	}
	flow.victim[i] = stress_fork();
	if (flow.victim[i] == 0)
		victim_loop();
	stress_sleep_us(stress_below(&rng, 2000));
}

static bool drained(void)
{
	for (int i = 0; i < CHANNELS; i++)
		if (atomic_load(&flow.ch[i].produced) !=
			atomic_load(&flow.ch[i].consumed))
			return false;
	return true;
}

static void open_flow(void)
{
	stress_on_watchdog(dump_flow);
	setup(6);
	flow.ep = x_epoll();
	flow.control = x_eventfd(0, EFD_CLOEXEC);
	x_add(flow.ep, flow.control, EPOLLIN, CHANNELS);
	for (unsigned i = 0; i < CHANNELS; i++) {
		channel_open(&flow.ch[i], i);
		/* A swallowed wake must not block the writer for good. */
		x_nonblock(flow.ch[i].wfd);
		x_add(flow.ep, flow.ch[i].rfd, EPOLLIN, i);
	}
}

static void traffic(void)
{
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);
	pthread_t thread[3];

	open_flow();
	pthread_create(&thread[0], NULL, survivor, NULL);
	pthread_create(&thread[1], NULL, survivor, NULL);
	pthread_create(&thread[2], NULL, writer, NULL);
	while (stress_now_ns() < end)
		replace_victim();
	atomic_store(&flow.over, true);
	pthread_join(thread[2], NULL);
	for (int i = 0; i < VICTIMS; i++)
		if (flow.victim[i])
			stress_kill(flow.victim[i]);
	for (int i = 0; i < CHANNELS; i++)
		channel_put(&flow.ch[i], &rng);
	while (!drained())
		stress_sleep_us(500);
	x_put(flow.control, 1);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	stress_ok("%ld killed below the traffic", flow.kills);
}

static const struct stress_case cases[] = {
	{"asleep", asleep},
	{"any-moment", any_moment},
	{"blocked-writer", blocked_writer},
	{"whole", whole},
	{"oneshot", oneshot},
	{"control", control},
	{"traffic", traffic},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
