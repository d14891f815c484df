/* SPDX-License-Identifier: MIT */
/* Calls of the 32-bit table of x86, which a 64-bit program can make, too. */
#ifndef CALL32_H
#define CALL32_H

#ifdef __x86_64__
/*
 * Makes call `nr` of arch/x86/entry/syscalls/syscall_32.tbl by int 0x80. An
 * argument is cut to 32 bits, so memory has to be below 4 GiB. Returns what the
 * kernel returns: a negative one is an error's number.
 */
static inline int call32(long nr, long a, long b, long c, long d)
{
	int result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}
#endif

#endif
