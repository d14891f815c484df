/* SPDX-License-Identifier: MIT */
/*
 * aarch64. A call is `svc #0` (4 bytes); the number stays in x8, the result
 * takes the place of the first argument in x0. There is no epoll_create,
 * epoll_wait or eventfd. struct epoll_event is 16 bytes, data at 8. The
 * signal frame is struct rt_sigframe (arch/arm64/kernel/signal.c): siginfo,
 * then the ucontext; the stack pointer is at its beginning in both places.
 */
#ifdef __aarch64__

#include "arch.h"

#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>

#define INSN_SIZE 4
#define SVC_0 0xd4000001u

#define SIGINFO_SIZE 128
#define SI_CODE 8
#define UC_SIGMASK (SIGINFO_SIZE + 40)
#define UC_MCONTEXT (SIGINFO_SIZE + 176) /* aligned to 16 */
#define MC_REG(n) (UC_MCONTEXT + 8 + 8 * (n))
#define MC_SP MC_REG(31)
#define MC_PC MC_REG(32)

const uint32_t emu_arch_audit = AUDIT_ARCH_AARCH64;
const uint64_t emu_arch_task_size = 1ull << 48;
const size_t emu_arch_event_size = 16;
const size_t emu_arch_frame_size = MC_PC + 8;
const size_t emu_arch_frame_at_handler = 0;
const size_t emu_arch_insn_size = INSN_SIZE;
const size_t emu_arch_code_size = INSN_SIZE;

enum emu_call_kind emu_arch_call(int nr)
{
	switch (nr) {
	case 19:
		return EMU_CALL_EVENTFD2;
	case 20:
		return EMU_CALL_EPOLL_CREATE1;
	case 21:
		return EMU_CALL_EPOLL_CTL;
	case 22:
		return EMU_CALL_EPOLL_PWAIT;
	case 63:
		return EMU_CALL_READ;
	case 64:
		return EMU_CALL_WRITE;
	case 139:
		return EMU_CALL_RT_SIGRETURN;
	case 441:
		return EMU_CALL_EPOLL_PWAIT2;
	default:
		return EMU_CALL_OTHER;
	}
}

bool emu_arch_is_exec(uint32_t audit, int nr)
{
	if (audit == AUDIT_ARCH_ARM)
		return nr == 11 || nr == 387;
	return audit == AUDIT_ARCH_AARCH64 && (nr == 221 || nr == 281);
}

bool emu_arch_is_userfaultfd(uint32_t audit, int nr, const uint64_t *args)
{
	bool new = (uint32_t)args[1] == EMU_USERFAULTFD_IOC_NEW;

	if (audit == AUDIT_ARCH_ARM)
		return nr == 388 || (nr == 54 && new);
	return audit == AUDIT_ARCH_AARCH64 && (nr == 282 || (nr == 29 && new));
}

void emu_arch_event_store(void *to, const struct emu_event *event)
{
	memset(to, 0, 16);
	memcpy(to, &event->events, 4);
	memcpy((char *)to + 8, &event->data, 8);
}

void emu_arch_event_load(struct emu_event *event, const void *from)
{
	memcpy(&event->events, from, 4);
	memcpy(&event->data, (const char *)from + 8, 8);
}

static uint64_t get(const void *from, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)from + offset, sizeof(value));
	return value;
}

static void set(void *to, size_t offset, uint64_t value)
{
	memcpy((char *)to + offset, &value, sizeof(value));
}

void emu_arch_frame_load(struct emu_sigframe *frame, const void *from)
{
	frame->ip = get(from, MC_PC);
	frame->sp = get(from, MC_SP);
	frame->result = get(from, MC_REG(0));
	for (int i = 0; i < 6; i++)
		frame->args[i] = get(from, MC_REG(i));
	frame->nr = (int)get(from, MC_REG(8));
}

void emu_arch_frame_store(void *to, const struct emu_sigframe *frame)
{
	set(to, MC_PC, frame->ip);
	set(to, MC_REG(0), frame->result);
}

void emu_arch_frame_set_mask(void *to, uint64_t mask)
{
	set(to, UC_SIGMASK, mask);
}

uint64_t emu_arch_frame_mask(const void *from)
{
	return get(from, UC_SIGMASK);
}

void emu_arch_frame_signal(const void *from, int *sig, int *code)
{
	memcpy(sig, from, sizeof(*sig));
	memcpy(code, (const char *)from + SI_CODE, sizeof(*code));
}

int emu_arch_frame_restarts(
	const struct emu_sigframe *frame, uint64_t ip, int nr)
{
	return frame->ip == ip - INSN_SIZE && frame->nr == nr;
}

void emu_arch_frame_return(
	struct emu_sigframe *frame, uint64_t ip, int64_t result)
{
	frame->ip = ip;
	frame->result = (uint64_t)result;
}

void emu_arch_frame_restart(
	struct emu_sigframe *frame, uint64_t ip, int nr, uint64_t first_arg)
{
	(void)nr; /* x8 is as it was */
	frame->ip = ip - INSN_SIZE;
	frame->result = first_arg;
}

int emu_arch_frame_call(const struct emu_sigframe *frame, const void *code)
{
	uint32_t insn;

	memcpy(&insn, code, sizeof(insn));
	return insn == SVC_0 ? frame->nr : -1;
}

int emu_arch_frame_next_call(const struct emu_sigframe *frame, const void *code)
{
	return emu_arch_frame_call(frame, code);
}

static int get_regs(pid_t tid, struct user_regs_struct *regs)
{
	struct iovec iov = {regs, sizeof(*regs)};

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return -errno;
	return 0;
}

bool emu_arch_is_cut_off(pid_t tid, const struct emu_call *call)
{
	struct user_regs_struct regs;

	/* It points at the call already, to run it again (do_signal()). */
	return get_regs(tid, &regs) == 0 && regs.pc == call->ip - INSN_SIZE &&
	       (int)regs.regs[8] == call->nr &&
	       memcmp(call->args, regs.regs, sizeof(call->args)) == 0;
}

int emu_arch_set_result(pid_t tid, uint64_t ip, int64_t result)
{
	struct user_regs_struct regs;
	struct iovec iov = {&regs, sizeof(regs)};
	struct iovec nr_iov;
	int no_call = -1; /* no call to run again */
	int rc = get_regs(tid, &regs);

	if (rc < 0)
		return rc;
	/* It points at the call already, to run it again (do_signal()). */
	regs.pc = ip;
	regs.regs[0] = (unsigned long long)result;
	if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &iov) < 0)
		return -errno;
	nr_iov = (struct iovec){&no_call, sizeof(no_call)};
	if (ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &nr_iov) < 0)
		return -errno;
	return 0;
}

const int emu_arch_registers = 33;
const int emu_arch_register_sp = 31;

int emu_arch_get_registers(pid_t tid, uint64_t *registers)
{
	struct user_regs_struct regs;
	int rc = get_regs(tid, &regs);

	if (rc < 0)
		return rc;
	memcpy(registers, regs.regs, 31 * sizeof(*registers));
	registers[31] = regs.sp;
	registers[32] = regs.pc;
	return 0;
}

bool emu_arch_ends_with_call(const void *code, uint64_t end, uint64_t *target)
{
	uint32_t insn;

	memcpy(&insn, (const char *)code + 4, sizeof(insn));
	*target = 0;
	if ((insn & 0xfc000000u) == 0x94000000u) { /* bl */
		*target = end - 4 +
			  (uint64_t)((int64_t)((uint64_t)insn << 38) >> 36);
		return true;
	}
	return (insn & 0xfffffc1fu) == 0xd63f0000u; /* blr */
}

int emu_arch_get_stack(pid_t tid, uint64_t *sp)
{
	struct user_regs_struct regs;
	int rc = get_regs(tid, &regs);

	if (rc == 0)
		*sp = regs.sp;
	return rc;
}

#endif
