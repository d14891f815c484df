/* SPDX-License-Identifier: MIT */
/*
 * A library to be preloaded into epemu when callgrind counts its instructions.
 *
 * valgrind carries out only the system calls that it knows, and fails all
 * others with ENOSYS. Debian 12's, 3.19, lacks some that epemu cannot do
 * without. They are named here and go to the kernel behind valgrind's back,
 * from a piece of code that it lets the processor run. All others go its way,
 * which for close_range() is a need: it protects valgrind's own descriptors.
 * epemu makes the calls in question by syscall(3), so that function is all
 * that has to be replaced.
 *
 * ioctl(2) is replaced to find the marks: a call that steps.c makes, and that
 * has no other use, tells callgrind to write down what it has counted, and to
 * start again from zero.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "bench.h"

enum { WORDS = 7 }; /* the number of the call and six arguments */

static const long unknown_to_valgrind[] = {
	SYS_seccomp,
	SYS_pidfd_send_signal,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_epoll_pwait2,
};

static long kernel(const long *words)
{
	register long fourth __asm__("r10") = words[4];
	register long fifth __asm__("r8") = words[5];
	register long sixth __asm__("r9") = words[6];
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(words[0]), "D"(words[1]), "S"(words[2]),
			 "d"(words[3]), "r"(fourth), "r"(fifth), "r"(sixth)
			 : "rcx", "r11", "memory");
	return result;
}

/* Run by the processor itself: has no thread's data and no stack check. */
static long run_natively(unsigned int tid, const long *words)
{
	(void)tid;
	return kernel(words);
}

/* callgrind.py knows it by its name: each call of it is a system call. */
__attribute__((noinline)) static long call_past_valgrind(const long *words)
{
	return (long)VALGRIND_NON_SIMD_CALL1(run_natively, words);
}

static bool is_known(long number)
{
	size_t count = sizeof(unknown_to_valgrind) / sizeof(long);

	for (size_t i = 0; i < count; i++) {
		if (unknown_to_valgrind[i] == number)
			return false;
	}
	return true;
}

/* A result of the kernel as one of the C library. */
static long finish(long result)
{
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

long syscall(long number, ...)
{
	long words[WORDS] = {number};
	long result;
	va_list rest;

	va_start(rest, number);
	for (int i = 1; i < WORDS; i++)
		words[i] = va_arg(rest, long);
	va_end(rest);
	if (is_known(number) || !RUNNING_ON_VALGRIND)
		result = kernel(words);
	else
		result = call_past_valgrind(words);
	return finish(result);
}

int ioctl(int fd, unsigned long request, ...)
{
	long words[WORDS] = {SYS_ioctl, fd, (long)request};
	const struct seccomp_notif *call;
	long result;
	va_list rest;

	va_start(rest, request);
	call = va_arg(rest, const struct seccomp_notif *);
	va_end(rest);
	words[3] = (long)call;
	result = kernel(words);
	if (result == 0 && request == SECCOMP_IOCTL_NOTIF_RECV &&
		call->data.nr == SYS_epoll_create1 &&
		call->data.args[0] == STEPS_MARK)
		CALLGRIND_DUMP_STATS;
	return (int)finish(result);
}
