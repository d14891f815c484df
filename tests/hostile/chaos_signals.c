/* SPDX-License-Identifier: MIT */
/* Signals, how they are handled, and frames that no signal made. */
#define _GNU_SOURCE
#include "chaos.h"
#include "chaos_arch.h"
#include <sys/time.h>

static const int handled[] = {
	SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGPIPE, SIGXFSZ, SIGURG};
static const int faults[] = {SIGSEGV, SIGBUS, SIGSYS, SIGILL, SIGTRAP};

static void jump_back(void)
{
	if (me->armed)
		siglongjmp(me->back, 1);
}

/* Here a forged frame leads to. */
static void landed(void)
{
	jump_back();
	_exit(5);
}

/* A copy of the frame, as it is or changed, is what is returned from. */
static void forge(ucontext_t *uc)
{
	size_t len = sizeof(*uc) + ARCH_FRAME_LEAD;
	char *copy = me->frame;

	if (one_in(8))
		copy = chaos_pointer(len);
	else
		memcpy(copy, (char *)uc - ARCH_FRAME_LEAD, len);
	uc = (void *)(copy + ARCH_FRAME_LEAD);
	if (copy == me->frame && me->armed && one_in(2))
		arch_land(uc, landed, me->stack + sizeof(me->stack));
	arch_sigreturn(uc);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	/* A thread of libc's own making has no place. */
	if (!me)
		return;
	switch (pick(12)) {
	case 0:
	case 1:
		chaos_some_call();
		break;
	case 2:
		jump_back();
		break;
	case 3:
		forge(context);
		break;
	case 4:
		stress_sleep_us(pick(500));
		break;
	default:
		break;
	}
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	if (me)
		jump_back();
	_exit(6);
}

static void handle(int sig, int flags)
{
	struct sigaction sa = {
		.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};

	sigaction(sig, &sa, NULL);
}

void chaos_alt_stack(void)
{
	stack_t stack = {.ss_sp = me->stack, .ss_size = sizeof(me->stack)};

	sigaltstack(&stack, NULL);
}

void chaos_open_signals(void)
{
	struct sigaction sa = {.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		sigaction(faults[i], &sa, NULL);
	for (size_t i = 0; i < ARRAY_LEN(handled); i++)
		handle(handled[i], pick(2) ? SA_RESTART : 0);
	handle(SIGRTMIN, 0);
}

void chaos_block(bool block)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(handled); i++)
		sigaddset(&set, handled[i]);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(block ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void change_handler(void)
{
	static const int flags[] = {0, 0, SA_RESTART, SA_RESTART, SA_NODEFER,
		SA_RESTART | SA_NODEFER};
	int sig = PICK(handled);

	if (one_in(12) && sig != SIGUSR1)
		signal(sig, one_in(2) ? SIG_IGN : SIG_DFL);
	else
		handle(sig, PICK(flags));
}

static void change_mask(void)
{
	sigset_t set;

	sigemptyset(&set);
	if (one_in(2))
		sigaddset(&set, PICK(handled));
	sigprocmask(SIG_SETMASK, &set, NULL);
}

static pid_t some_thread(void)
{
	pid_t tid = atomic_load(&self.thread[pick(CHAOS_THREADS)].tid);

	return tid ? tid : stress_gettid();
}

static void signal_thread(void)
{
	int sig = one_in(6) ? SIGRTMIN : PICK(handled);

	syscall(SYS_tgkill, getpid(), some_thread(), sig);
}

static void signal_process(void)
{
	kill(getpid(), one_in(2) ? SIGUSR1 : SIGURG);
}

static void queue_signals(void)
{
	union sigval value = {.sival_int = 1};

	for (unsigned i = pick(6); i > 0; i--)
		sigqueue(getpid(), SIGRTMIN, value);
}

static void set_timer(void)
{
	long us = one_in(4) ? 0 : 100 + (long)pick(9900);
	struct itimerval timer = {{0, us}, {0, us}};

	setitimer(ITIMER_REAL, &timer, NULL);
}

const struct chaos_action chaos_signals[] = {
	{"sigaction", change_handler, 3},
	{"sigprocmask", change_mask, 4},
	{"tgkill", signal_thread, 8},
	{"kill self", signal_process, 3},
	{"sigqueue", queue_signals, 2},
	{"setitimer", set_timer, 1},
	{NULL, NULL, 0},
};
