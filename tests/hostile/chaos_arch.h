/* SPDX-License-Identifier: MIT */
/* What the chaos has to know of a processor: signal frames. */
#ifndef CHAOS_ARCH_H
#define CHAOS_ARCH_H

#include "../call32.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

/* How far before its ucontext a signal frame begins. */
#ifdef __x86_64__
#define ARCH_FRAME_LEAD 0
#else
#define ARCH_FRAME_LEAD sizeof(siginfo_t)
#endif

/* rt_sigreturn on a frame whose ucontext lies at `uc`. */
static inline _Noreturn void arch_sigreturn(void *uc)
{
#ifdef __x86_64__
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "mov $15, %%eax\n\t"
			 "syscall\n\t"
			 "hlt" ::"r"(uc)
			 : "memory");
#else
	__asm__ volatile("mov sp, %0\n\t"
			 "mov x8, #139\n\t"
			 "svc #0\n\t"
			 "brk #1" ::"r"((char *)uc - ARCH_FRAME_LEAD)
			 : "memory");
#endif
	__builtin_unreachable();
}

/* The thread goes on in `function`, on the stack that ends at `top`. */
static inline void arch_land(ucontext_t *uc, void (*function)(void), char *top)
{
#ifdef __x86_64__
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)function;
	uc->uc_mcontext.gregs[REG_RSP] = (greg_t)(uintptr_t)top - 8;
	uc->uc_mcontext.fpregs = NULL;
#else
	uc->uc_mcontext.pc = (uintptr_t)function;
	uc->uc_mcontext.sp = (uintptr_t)top;
#endif
}

#endif
