/* SPDX-License-Identifier: MIT */
/*
 * Operations on actors. Their numbers are checked here, and each is named by
 * number only: pids differ from run to run.
 */
#define _GNU_SOURCE
#include "look.h"
#include "ops.h"
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct actor *named(const struct call *c, enum actor_life life)
{
	unsigned long number = (unsigned long)c->arg[0];

	if (number >= ACTORS || stage->actor[number].life != life)
		return NULL;
	return &stage->actor[number];
}

void op_fork(struct call *c)
{
	if (!named(c, ACTOR_NONE))
		text_add(c->out, "taken");
	else
		text_add_result(c->out, actor_fork((unsigned)c->arg[0], true));
}

void op_thread(struct call *c)
{
	if (!named(c, ACTOR_NONE))
		text_add(c->out, "taken");
	else
		text_add_result(
			c->out, actor_thread((unsigned)c->arg[0], c->self));
}

void op_exit(struct call *c)
{
	syscall(c->self->pid == c->self->tid ? SYS_exit_group : SYS_exit, 0);
}

void op_kill(struct call *c)
{
	const struct actor *a = named(c, ACTOR_ALIVE);

	if (a)
		text_add_result(c->out, outcome(kill(a->pid, SIGKILL)));
	else
		text_add(c->out, "gone");
}

void op_signal(struct call *c)
{
	const struct actor *a = named(c, ACTOR_ALIVE);

	if (a)
		text_add_result(c->out,
			outcome(syscall(SYS_tgkill, a->pid, a->tid, SIGUSR1)));
	else
		text_add(c->out, "gone");
}

void op_handler(struct call *c)
{
	struct sigaction action;

	sigaction(SIGUSR1, NULL, &action);
	action.sa_flags = (int)c->arg[0];
	text_add_result(c->out, outcome(sigaction(SIGUSR1, &action, NULL)));
}

void op_sigmask(struct call *c)
{
	uint64_t mask = (uint64_t)c->arg[0], old = 0;
	long r = outcome(syscall(
		SYS_rt_sigprocmask, SIG_SETMASK, &mask, &old, sizeof(mask)));

	text_add_result(c->out, r);
	text_add(c->out, " was %llx", (unsigned long long)old);
}

/* Another process is stopped and continued. */
void op_stop(struct call *c)
{
	const struct actor *a = named(c, ACTOR_ALIVE);

	if (!a || a->pid == c->self->pid) {
		text_add(c->out, "not another process");
		return;
	}
	kill(a->pid, SIGSTOP);
	look_await_state(a->pid, a->tid, 'T');
	text_add_result(c->out, outcome(kill(a->pid, SIGCONT)));
}

void op_unshare(struct call *c)
{
	long r = outcome(unshare((int)c->arg[0]));

	if (r == 0)
		actor_unshare_slots(c->self);
	text_add_result(c->out, r);
}
