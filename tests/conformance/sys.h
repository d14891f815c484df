/* SPDX-License-Identifier: MIT */
/*
 * Raw system calls for x86-64 and aarch64. No libc function stands between a
 * case and the kernel: every wrapper returns the kernel's own value, a
 * negative errno for an error. Headers of the C library are used for
 * constants and structures of the kernel's interface only.
 *
 * CALL() is the normal way: inside a case an answer of -ENOSYS ends the case
 * as skipped, which names the call. RAW() hands ENOSYS through.
 */
#ifndef CONFORM_SYS_H
#define CONFORM_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef __NR_pidfd_open
#define __NR_pidfd_open 434
#endif
#ifndef __NR_close_range
#define __NR_close_range 436
#endif
#ifndef __NR_epoll_pwait2
#define __NR_epoll_pwait2 441
#endif
#ifndef __NR_io_uring_setup
#define __NR_io_uring_setup 425
#define __NR_io_uring_enter 426
#endif

#if defined(__x86_64__)
static inline long raw_call(
	long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile(
		"syscall"
		: "=a"(ret)
		: "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long raw_call(
	long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "only x86-64 and aarch64 are known here"
#endif

/* Ends the case as skipped if ret is -ENOSYS; else returns ret. */
long call_checked(const char *name, long ret);

#define CALL_PAD(nr, a, b, c, d, e, f, ...)                                 \
	raw_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
		(long)(f))
#define RAW(nr, ...) CALL_PAD(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define CALL(name, ...) call_checked(#name, RAW(__NR_##name, __VA_ARGS__))

/* A new thread on stack_top that runs fn(arg) and exits; tid or -errno. */
long sys_clone_thread(unsigned long flags, void *stack_top, int *tid,
	void (*fn)(void *), void *arg);

#endif
