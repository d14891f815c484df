/* SPDX-License-Identifier: MIT */
/*
 * All that differs by architecture: call numbers, struct epoll_event, the
 * signal frame, the registers. arch_x86_64.c and arch_aarch64.c each give one
 * set of these; the one for the host is built in.
 */
#ifndef EMU_ARCH_H
#define EMU_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "calls.h"
#include "epoll_emul.h"

/* AUDIT_ARCH_* of the calls that are emulated. */
extern const uint32_t emu_arch_audit;

/* Addresses from here on are not user space's (TASK_SIZE_MAX). */
extern const uint64_t emu_arch_task_size;

/* sizeof(struct epoll_event) of the target. */
extern const size_t emu_arch_event_size;

/* Which call a number stands for; EMU_CALL_OTHER if none of ours. */
enum emu_call_kind emu_arch_call(int nr);

/*
 * Is this call, of any of the architectures that the host runs (AUDIT_ARCH_*),
 * execve() or execveat()?
 */
bool emu_arch_is_exec(uint32_t audit, int nr);

/* Is it one that makes a userfaultfd: userfaultfd(2), USERFAULTFD_IOC_NEW? */
bool emu_arch_is_userfaultfd(uint32_t audit, int nr, const uint64_t *args);

/* Lays `event` out as the target has it, in emu_arch_event_size bytes. */
void emu_arch_event_store(void *to, const struct emu_event *event);
void emu_arch_event_load(struct emu_event *event, const void *from);

/* A signal frame on a thread's stack, as far as it concerns restarting. */
struct emu_sigframe {
	uint64_t ip;
	uint64_t sp;
	uint64_t result; /* the register that holds a call's result */
	uint64_t args[6];
	int nr; /* the call's number where a register keeps it, else -1 */
};

/* How many bytes of the frame are needed, from the stack pointer. */
extern const size_t emu_arch_frame_size;

/*
 * Where the frame begins, relative to the stack pointer at rt_sigreturn()
 * and to that at the first instruction of a handler.
 */
extern const size_t emu_arch_frame_at_handler;

void emu_arch_frame_load(struct emu_sigframe *frame, const void *from);

/* Puts ip and result back into the bytes that were loaded. */
void emu_arch_frame_store(void *to, const struct emu_sigframe *frame);

/* The signal mask in the bytes of a frame. */
void emu_arch_frame_set_mask(void *to, uint64_t mask);
uint64_t emu_arch_frame_mask(const void *from);

/*
 * The signal that the frame was made for and its si_code, if its handler has
 * SA_SIGINFO; else whatever was there before.
 */
void emu_arch_frame_signal(const void *from, int *sig, int *code);

/*
 * The frame as it is when the kernel will run the call again on return from
 * the handler: does it say so for a call whose next instruction is at `ip`?
 */
int emu_arch_frame_restarts(
	const struct emu_sigframe *frame, uint64_t ip, int nr);

/* Makes the frame return `result` from that call, or run it again. */
void emu_arch_frame_return(
	struct emu_sigframe *frame, uint64_t ip, int64_t result);
void emu_arch_frame_restart(
	struct emu_sigframe *frame, uint64_t ip, int nr, uint64_t first_arg);

/*
 * The number of the call that ended just before `frame->ip`, as the code
 * before it or a register tells; -1 if that cannot be said. `code` holds the
 * emu_arch_code_size bytes before the instruction pointer.
 */
extern const size_t emu_arch_code_size;
int emu_arch_frame_call(const struct emu_sigframe *frame, const void *code);

/*
 * The number of the call that the frame is about to make, if the instruction
 * at its instruction pointer, `code`, makes one; else -1.
 */
int emu_arch_frame_next_call(
	const struct emu_sigframe *frame, const void *code);

/* sizeof the instruction that makes a call. */
extern const size_t emu_arch_insn_size;

/*
 * Is a thread that is in a ptrace stop on its way out of this call, which a
 * signal or the stop has cut off?
 */
bool emu_arch_is_cut_off(pid_t tid, const struct emu_call *call);

/*
 * For a thread in a ptrace stop on its way out of a call whose next
 * instruction is at `ip`: ends the call with this result, and does not run it
 * again. A negative errno on failure.
 */
int emu_arch_set_result(pid_t tid, uint64_t ip, int64_t result);

/*
 * The registers of a thread in a ptrace stop by their DWARF numbers, with the
 * instruction pointer behind them: emu_arch_registers in all. A negative
 * errno on failure.
 */
#define EMU_ARCH_REGISTERS_MAX 33
extern const int emu_arch_registers;
extern const int emu_arch_register_sp; /* which of them */
int emu_arch_get_registers(pid_t tid, uint64_t *registers);

/*
 * Do these 8 bytes of code, which end at `end`, end with an instruction that
 * calls? *target: what, 0 where only a register or memory tells.
 */
bool emu_arch_ends_with_call(const void *code, uint64_t end, uint64_t *target);

/* The stack pointer of a thread in a ptrace stop. */
int emu_arch_get_stack(pid_t tid, uint64_t *sp);

#endif
