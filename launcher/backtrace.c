/* SPDX-License-Identifier: MIT */
/*
 * Crashes of epemu itself: where it was, as messages of its own.
 *
 * The handler runs on a stack of its own (a full stack is one of the causes)
 * and keeps to calls that are safe there: libunwind's local unwinding is, and
 * the formatting is done by hand. It then dies of the same signal, so that a
 * core file shows the original state. A crash within the handler ends the
 * process at once, since the default actions are back by then.
 *
 * Under AddressSanitizer nothing is installed: its own report says more.
 */
#define _GNU_SOURCE
#define UNW_LOCAL_ONLY
#include "launcher/backtrace.h"

#include <libunwind.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_SANITIZER 1
#endif
#endif
#ifndef HAVE_SANITIZER
#define HAVE_SANITIZER 0
#endif

enum { MOST_FRAMES = 64, STACK_BYTES = 64 * 1024 };

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static const struct emu_backtrace *installed;

struct text {
	char bytes[256];
	size_t size;
};

static void add(struct text *text, const char *more)
{
	while (*more && text->size < sizeof(text->bytes) - 1)
		text->bytes[text->size++] = *more++;
	text->bytes[text->size] = '\0';
}

static void add_number(struct text *text, uint64_t number, unsigned int base)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do
		digits[--at] = "0123456789abcdef"[number % base];
	while (number /= base);
	add(text, digits + at);
}

static void print_frame(unw_cursor_t *cursor, unsigned int number)
{
	struct text text = {.size = 0};
	unw_word_t address = 0, offset = 0;
	char name[128];

	unw_get_reg(cursor, UNW_REG_IP, &address);
	add(&text, "  #");
	add_number(&text, number, 10);
	add(&text, " 0x");
	add_number(&text, address, 16);
	if (unw_get_proc_name(cursor, name, sizeof(name), &offset) == 0) {
		add(&text, " ");
		add(&text, name);
		add(&text, "+0x");
		add_number(&text, offset, 16);
	}
	installed->line(text.bytes);
}

static void print_frames(ucontext_t *context)
{
	unsigned int number = 0;
	unw_cursor_t cursor;

	if (unw_init_local2(&cursor, (unw_context_t *)context,
		    UNW_INIT_SIGNAL_FRAME) < 0)
		return;
	do
		print_frame(&cursor, number++);
	while (number < MOST_FRAMES && unw_step(&cursor) > 0);
}

static void crashed(int signal, siginfo_t *info, void *context)
{
	struct text text = {.size = 0};
	struct sigaction fatal = {.sa_handler = SIG_DFL};
	size_t i;

	/* abort() and raise() come from here as well. */
	if (info->si_code <= 0 && info->si_pid != getpid() &&
		installed->foreign && installed->foreign(info)) {
		sigaddset(&((ucontext_t *)context)->uc_sigmask, signal);
		return;
	}
	for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &fatal, NULL);
	add(&text, installed->who);
	add(&text, " (process ");
	add_number(&text, getpid(), 10);
	add(&text, ") crashed by signal ");
	add_number(&text, signal, 10);
	if (info->si_code > 0) {
		add(&text, " at address 0x");
		add_number(&text, (uintptr_t)info->si_addr, 16);
	}
	add(&text, "; please report this with the lines that follow");
	installed->line(text.bytes);
	print_frames(context);
	/* Delivered on return, when it is unblocked again. */
	kill(getpid(), signal);
}

void emu_backtrace_unblock(void)
{
	sigset_t set;
	size_t i;

	if (HAVE_SANITIZER)
		return;
	sigemptyset(&set);
	for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaddset(&set, crashes[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void emu_backtrace_install(const struct emu_backtrace *backtrace)
{
	static char stack[STACK_BYTES];
	stack_t other = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {
		.sa_sigaction = crashed,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};
	size_t i;

	if (HAVE_SANITIZER)
		return;
	installed = backtrace;
	sigaltstack(&other, NULL);
	for (i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &action, NULL);
	emu_backtrace_unblock();
}
