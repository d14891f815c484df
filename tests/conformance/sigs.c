/* SPDX-License-Identifier: MIT */
/*
 * Signals of a case. The handler counts into the shared page, with the mask
 * that was in force while it ran; masks are the kernel's 64 bits.
 */
#include "shared.h"
#include <signal.h>

struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

#if defined(__x86_64__)
#define RESTORER 0x04000000ul
void conf_sigreturn(void);
__asm__(".text\n"
	".global conf_sigreturn\n"
	"conf_sigreturn:\n"
	"	mov $15, %eax\n"
	"	syscall\n"
	"	hlt\n");
#else
#define RESTORER 0ul
#define conf_sigreturn NULL
#endif

uint64_t sig_mask(void)
{
	uint64_t mask = 0;

	OK(CALL(rt_sigprocmask, SIG_SETMASK, NULL, &mask, 8));
	return mask;
}

static void count_signal(int sig)
{
	struct conf_sig *s = &conf_shared->sig[sig];

	RAW(__NR_rt_sigprocmask, SIG_SETMASK, NULL, &s->under, 8);
	__atomic_add_fetch(&s->count, 1, __ATOMIC_SEQ_CST);
}

void sig_handler(int sig, void (*handler)(int), int flags)
{
	struct kernel_sigaction sa = {handler,
		(unsigned long)(unsigned)flags | RESTORER, conf_sigreturn, 0};

	OK(CALL(rt_sigaction, sig, &sa, NULL, 8));
}

void sig_catch(int sig, int flags)
{
	sig_handler(sig, count_signal, flags);
}

void sig_ignore(int sig)
{
	sig_handler(sig, SIG_IGN, 0);
}

static void change_mask(int how, int sig)
{
	uint64_t mask = SIGBIT(sig);

	OK(CALL(rt_sigprocmask, how, &mask, NULL, 8));
}

void sig_block(int sig)
{
	change_mask(SIG_BLOCK, sig);
}

void sig_unblock(int sig)
{
	change_mask(SIG_UNBLOCK, sig);
}

uint64_t sig_pending(void)
{
	uint64_t set = 0;

	OK(CALL(rt_sigpending, &set, 8));
	return set;
}

int sig_caught(int sig)
{
	return (int)__atomic_load_n(
		&conf_shared->sig[sig].count, __ATOMIC_SEQ_CST);
}

void sig_caught_wait(int sig, int times)
{
	long ts[2] = {0, 300000};

	while (sig_caught(sig) < times)
		CALL(nanosleep, ts, NULL);
}

uint64_t sig_caught_under(int sig)
{
	return conf_shared->sig[sig].under;
}

void sig_send(int pid, int sig)
{
	OK(CALL(kill, pid, sig));
}
