/* SPDX-License-Identifier: MIT */
/*
 * Hands the calls of a program to its actors, one after another, see world.h.
 *
 * After each call everything has to have settled, or the next one would meet
 * a state that depends on timing: all actors have either finished their call
 * or sleep in it, and what sleeps has been seen to do so by whoever answers
 * the calls. For the latter this process makes a call that is answered by
 * the same one, and wakes nobody: an epoll_create1 with bad flags. Wake-ups
 * and calls older than that have then been served. A thread that has not run
 * in between is asleep for good.
 *
 * Nothing here reads a clock but to give up.
 */
#define _GNU_SOURCE
#include "world.h"
#include "actor.h"
#include "delivery.h"
#include "look.h"
#include "ops.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_AFTER_NS = 1000000 };

static bool busy(const struct actor *a)
{
	return a->life == ACTOR_ALIVE && atomic_load(&a->turn) % 2 == 1;
}

/* Those whose call has been handed out and whose result was not told. */
static bool untold[ACTORS];

static void barrier(void)
{
	syscall(SYS_epoll_create1, -1);
}

static void pause_shortly(void)
{
	const struct timespec pause = {0, 50000};

	nanosleep(&pause, NULL);
}

static void bury(pid_t pid)
{
	for (unsigned i = 0; i < ACTORS; i++) {
		if (stage->actor[i].pid == pid)
			stage->actor[i].life = ACTOR_GONE;
	}
}

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		bury(pid);
}

static void await_end_of(struct actor *a)
{
	if (a->pid == a->tid) {
		if (waitpid(a->pid, NULL, 0) == a->pid)
			bury(a->pid);
		return;
	}
	while (look_at(a->pid, a->tid).state)
		pause_shortly();
	a->life = ACTOR_GONE;
}

/* Until it has finished, or sleeps. */
static struct look await_rest(struct actor *a, bool finish)
{
	struct look l = {0, -1, 0};

	while (busy(a)) {
		l = look_at(a->pid, a->tid);
		if (!finish && look_sleeps(&l))
			break;
		if (!l.state)
			reap();
		pause_shortly();
	}
	return l;
}

static bool same(const struct look *x, const struct look *y)
{
	return x->switches == y->switches && x->call == y->call;
}

static bool settled_since(const struct look *before)
{
	for (unsigned i = 0; i < ACTORS; i++) {
		struct actor *a = &stage->actor[i];

		if (!untold[i])
			continue;
		struct look now = look_at(a->pid, a->tid);

		if (busy(a) && (!look_sleeps(&now) || !same(&now, &before[i])))
			return false;
		if (!busy(a) && before[i].state)
			return false;
	}
	return true;
}

static void settle(void)
{
	struct look before[ACTORS] = {0};

	if (!delivery_await(stage))
		fprintf(stderr, "no delivery: %s\n", stage->program->name);
	do {
		for (unsigned i = 0; i < ACTORS; i++) {
			if (!untold[i])
				continue;
			before[i] = await_rest(&stage->actor[i], false);
			if (!busy(&stage->actor[i]))
				before[i].state = 0;
		}
		barrier();
	} while (!settled_since(before));
}

static bool must_finish(const struct step *s)
{
	const struct op *op = s->op;

	return op->kind == OP_ENDS || op->kind == OP_SPAWN ||
	       (op->kind == OP_TIMED && !s->arg[op->timeout_arg].slot &&
		       (int)s->arg[op->timeout_arg].value > 0);
}

/* What a call is known to bring about before anything else is looked at. */
static void await_effects(struct actor *a, const struct step *s)
{
	unsigned long other = (unsigned long)s->arg[0].value;

	if (s->op->kind == OP_EXIT) {
		await_end_of(a);
	} else if (s->op->kind == OP_KILL && other < ACTORS &&
		   stage->actor[other].life == ACTOR_ALIVE) {
		if (stage->actor[other].pid != a->pid)
			await_rest(a, true);
		waitpid(stage->actor[other].pid, NULL, 0);
		bury(stage->actor[other].pid);
	} else if (must_finish(s)) {
		await_rest(a, true);
	}
	if (s->op->kind == OP_SPAWN && other < ACTORS &&
		a->result.data[0] == '0') {
		while (stage->actor[other].life == ACTOR_NONE)
			futex_wait(&stage->actor[other].life, ACTOR_NONE,
				LOOK_AFTER_NS);
	}
}

static void hand_out(struct actor *a, unsigned index)
{
	const struct step *s = &stage->program->step[index];
	uint32_t turn = atomic_load(&a->turn) + 1;

	a->step = index;
	untold[a->number] = true;
	atomic_store(&a->turn, turn);
	futex_wake(&a->turn);
	futex_wait(&a->turn, turn, LOOK_AFTER_NS);
	await_effects(a, s);
	settle();
}

static void tell(struct actor *a, FILE *to)
{
	if (!untold[a->number] || busy(a))
		return;
	untold[a->number] = false;
	fprintf(to, "  %s = %s\n", stage->program->step[a->step].text,
		atomic_load(&a->turn) % 2 ? "gone" : a->result.data);
}

static void run_step(unsigned index, FILE *to)
{
	const struct step *s = &stage->program->step[index];
	struct actor *a = &stage->actor[s->actor];

	if (a->life != ACTOR_ALIVE || busy(a)) {
		fprintf(to, "%u %s: actor %s\n", index, s->text,
			busy(a) ? "asleep" : "not there");
		return;
	}
	fprintf(to, "%u\n", index);
	hand_out(a, index);
	if (busy(a))
		fprintf(to, "  %s sleeps\n", s->text);
	for (unsigned i = 0; i < ACTORS; i++)
		tell(&stage->actor[i], to);
}

static bool set_up(const struct program *p)
{
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage == MAP_FAILED || !delivery_open())
		return false;
	stage->program = p;
	for (unsigned i = 0; i < ACTORS; i++)
		stage->actor[i].number = i;
	if (actor_fork(0, false) != 0)
		return false;
	while (stage->actor[0].life == ACTOR_NONE)
		futex_wait(&stage->actor[0].life, ACTOR_NONE, LOOK_AFTER_NS);
	return true;
}

void world_run(const struct program *p, FILE *to)
{
	alarm(WORLD_LIMIT);
	if (!set_up(p)) {
		fprintf(to, "cannot begin\n");
		return;
	}
	for (unsigned i = 0; i < p->count; i++)
		run_step(i, to);
	for (unsigned i = 0; i < ACTORS; i++) {
		if (stage->actor[i].life == ACTOR_ALIVE)
			kill(stage->actor[i].pid, SIGKILL);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
}
