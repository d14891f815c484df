/* SPDX-License-Identifier: MIT */
/*
 * The life of an actor, see actor.h. Its process begins as a copy of the one
 * that forked it, as a program's child does; its parent is always the one
 * who hands out the calls, so that he hears of its end.
 */
#define _GNU_SOURCE
#include "actor.h"
#include "ops.h"
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EDGE_BYTES = 8192 };

struct stage *stage;

/* Of this process; one row for its threads, and one for each that unshared. */
static int slots[ACTORS + 1][SLOTS];
static char *edges;

void futex_wait(_Atomic uint32_t *word, uint32_t value, long limit_ns)
{
	struct timespec limit = {limit_ns / 1000000000, limit_ns % 1000000000};

	syscall(SYS_futex, word, FUTEX_WAIT, value, limit_ns ? &limit : NULL,
		NULL, 0);
}

void futex_wake(_Atomic uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void on_signal(int number)
{
	(void)number;
}

/* For each actor two stretches, of which the second cannot be touched. */
static void map_edges(void)
{
	edges = mmap(NULL, (size_t)2 * ACTORS * EDGE_BYTES,
		PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < ACTORS; i++)
		mprotect(edges + (2 * i + 1) * EDGE_BYTES, EDGE_BYTES,
			PROT_NONE);
}

char *actor_edge(const struct actor *a)
{
	return edges + (2 * (size_t)a->number + 1) * EDGE_BYTES;
}

static void make_call(struct actor *a)
{
	struct call c = {.self = a, .index = a->step, .out = &a->result};

	c.step = &stage->program->step[a->step];
	for (unsigned i = 0; i < c.step->op->args; i++) {
		const struct arg *arg = &c.step->arg[i];

		c.arg[i] = arg->slot ? a->slot[arg->value] : arg->value;
	}
	text_clear(c.out);
	c.step->op->run(&c);
}

static _Noreturn void act(struct actor *a)
{
	a->pid = getpid();
	a->tid = (pid_t)syscall(SYS_gettid);
	atomic_store(&a->life, ACTOR_ALIVE);
	futex_wake(&a->life);
	for (;;) {
		uint32_t turn = atomic_load(&a->turn);

		if (turn % 2 == 0) {
			futex_wait(&a->turn, turn, 0);
			continue;
		}
		make_call(a);
		atomic_store(&a->turn, turn + 1);
		futex_wake(&a->turn);
	}
}

static _Noreturn void begin_process(struct actor *a, const struct actor *parent)
{
	struct sigaction action = {.sa_handler = on_signal};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!parent) {
		memset(slots, -1, sizeof(slots));
		sigaction(SIGUSR1, &action, NULL);
		signal(SIGPIPE, SIG_IGN);
		map_edges();
		dup2(STDIN_FILENO, STDERR_FILENO);
		close_range(3, ~0U, 0);
	}
	a->slot = slots[0];
	if (parent)
		memmove(slots[0], parent->slot, sizeof(slots[0]));
	act(a);
}

static _Thread_local struct actor *self;

long actor_fork(unsigned number, bool sibling)
{
	struct actor *a = &stage->actor[number];
	const struct actor *parent = sibling ? self : NULL;
	long pid = outcome(syscall(
		SYS_clone, (sibling ? CLONE_PARENT : 0) | SIGCHLD, 0, 0, 0, 0));

	if (pid != 0)
		return pid < 0 ? pid : 0;
	self = a;
	begin_process(a, parent);
}

static void *begin_thread(void *arg)
{
	self = arg;
	act(self);
}

long actor_thread(unsigned number, struct actor *of)
{
	pthread_attr_t attr;
	pthread_t thread;

	stage->actor[number].slot = of->slot;
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 256 << 10);
	return -pthread_create(
		&thread, &attr, begin_thread, &stage->actor[number]);
}

void actor_unshare_slots(struct actor *a)
{
	int *own = slots[1 + a->number];

	if (a->slot != own)
		memcpy(own, a->slot, sizeof(slots[0]));
	a->slot = own;
}
