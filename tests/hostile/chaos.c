/* SPDX-License-Identifier: MIT */
/*
 * An actor: does at random what programs do seldom and attackers gladly.
 *
 *     chaos SEED SLOT
 *
 * What it does follows from the seed; when, from the machine. It ends after
 * some seconds, by itself or by any of the things it does; how is of no
 * interest. It signals nobody but itself, its child and other actors.
 */
#define _GNU_SOURCE
#include "chaos.h"
#include <stdlib.h>
#include <sys/prctl.h>

struct hostile *shared;
struct chaos_process self;
__thread struct chaos_thread *me;

static const struct chaos_action *const tables[] = {
	chaos_calls, chaos_memory, chaos_processes, chaos_signals, chaos_files};

/* The action at `index` of all tables one after the other, or NULL. */
static const struct chaos_action *action_at(unsigned index)
{
	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		for (const struct chaos_action *a = tables[i]; a->name; a++)
			if (index-- == 0)
				return a;
	return NULL;
}

static unsigned choose(void)
{
	static unsigned total;
	const struct chaos_action *a;
	unsigned sum = 0, i = 0;

	if (!total) {
		for (; (a = action_at(i)); i++)
			sum += a->weight;
		total = sum;
	}
	unsigned left = pick(total);

	for (i = 0; (a = action_at(i)); i++) {
		if (left < a->weight)
			break;
		left -= a->weight;
	}
	return i;
}

bool chaos_take_place(uint64_t seed)
{
	for (unsigned i = 0; i < CHAOS_THREADS; i++) {
		pid_t free_place = 0;

		if (!atomic_compare_exchange_strong(
			    &self.thread[i].tid, &free_place, stress_gettid()))
			continue;
		me = &self.thread[i];
		me->armed = 0;
		me->rng.state = seed;
		stress_rand(&me->rng);
		return true;
	}
	return false;
}

static bool its_time(void)
{
	return atomic_load(&shared->chaos_over) || stress_now_ns() > self.until;
}

void chaos_loop(unsigned most_actions)
{
	volatile unsigned left = most_actions;

	sigsetjmp(me->back, 1);
	me->armed = 1;
	while (left-- > 0 && !its_time()) {
		unsigned i = choose();

		atomic_fetch_add(&shared->did[i], 1);
		action_at(i)->act();
	}
	me->armed = 0;
}

long chaos_got(long result)
{
	if (result >= 0)
		atomic_fetch_add(&shared->good_calls, 1);
	else
		atomic_fetch_add(&shared->failed_calls, 1);
	return result;
}

int chaos_new(long fd, enum chaos_kind kind)
{
	if (fd >= 0 && fd < HOSTILE_FD_LIMIT)
		atomic_store(&self.kind[fd], (uint8_t)kind);
	return (int)fd;
}

int chaos_fd(enum chaos_kind kind)
{
	static const int odd[] = {-1, 0, HOSTILE_FD_LIMIT, 1 << 20,
		-100 /* AT_FDCWD */, 2147483647};
	int fd = 0;

	if (one_in(32))
		return PICK(odd);
	/* The arena's own three numbers are left alone. */
	for (int tries = 0; tries < 24; tries++) {
		fd = 3 + (int)pick(HOSTILE_FD - 3);
		uint8_t is = atomic_load(&self.kind[fd]);

		if (is && (kind == KIND_ANY || is == kind))
			break;
	}
	return fd;
}

static void open_files(void)
{
	chaos_new(epoll_create1(0), KIND_EPOLL);
	chaos_new(epoll_create1(EPOLL_CLOEXEC), KIND_EPOLL);
	for (int i = 0; i < 3; i++)
		chaos_new(syscall(SYS_eventfd2, i, i == 1 ? 04000 : 0),
			KIND_EVENTFD);
}

int main(int argc, char **argv)
{
	shared = hostile_map(true);
	if (argc < 3 || !shared)
		return 1;
	self.argv = argv;
	self.seed = strtoull(argv[1], NULL, 10);
	self.slot = (unsigned)strtoul(argv[2], NULL, 10);
	if (!chaos_take_place(self.seed))
		return 1;
	self.until =
		stress_now_ns() + 500000000ull + (uint64_t)pick(3000) * 1000000;
	chaos_open_memory();
	chaos_alt_stack();
	chaos_open_signals();
	open_files();
	chaos_loop(1000000);
	_exit((int)pick(4));
}
