/* SPDX-License-Identifier: MIT */
/*
 * x86-64. A call is `syscall` (2 bytes); its number and its result share rax,
 * so a frame of a call that ended no longer tells which call it was. struct
 * epoll_event is packed: 12 bytes. The signal frame is struct rt_sigframe
 * (arch/x86/include/asm/sigframe.h): the return address, then the ucontext;
 * rt_sigreturn() is entered with the stack pointer at the ucontext.
 */
#ifdef __x86_64__

#include "arch.h"

#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define INSN_SIZE 2
#define CODE_SIZE 13 /* as much of the code before a call as is looked at */
#define X32_BIT 0x40000000
#define ERESTARTSYS 512 /* what a call that was cut off has for a result */

/* Offsets in struct ucontext, up to and with uc_sigmask; siginfo follows. */
#define UC_GREGS 40
#define UC_SIGMASK 296
#define SIGINFO (UC_SIGMASK + 8)
#define SI_CODE (SIGINFO + 8)
#define GREG(n) (UC_GREGS + 8 * (n))
#define GREG_R8 GREG(0)
#define GREG_R9 GREG(1)
#define GREG_R10 GREG(2)
#define GREG_RDI GREG(8)
#define GREG_RSI GREG(9)
#define GREG_RDX GREG(12)
#define GREG_RAX GREG(13)
#define GREG_RSP GREG(15)
#define GREG_RIP GREG(16)

const uint32_t emu_arch_audit = AUDIT_ARCH_X86_64;
const uint64_t emu_arch_task_size = 0x7ffffffff000;
const size_t emu_arch_event_size = 12;
const size_t emu_arch_frame_size = SI_CODE + 4;
const size_t emu_arch_frame_at_handler = 8;
const size_t emu_arch_insn_size = INSN_SIZE;
const size_t emu_arch_code_size = CODE_SIZE;

enum emu_call_kind emu_arch_call(int nr)
{
	switch (nr) {
	case 0:
		return EMU_CALL_READ;
	case 1:
		return EMU_CALL_WRITE;
	case 15:
		return EMU_CALL_RT_SIGRETURN;
	case 213:
		return EMU_CALL_EPOLL_CREATE;
	case 232:
		return EMU_CALL_EPOLL_WAIT;
	case 233:
		return EMU_CALL_EPOLL_CTL;
	case 281:
		return EMU_CALL_EPOLL_PWAIT;
	case 284:
		return EMU_CALL_EVENTFD;
	case 290:
		return EMU_CALL_EVENTFD2;
	case 291:
		return EMU_CALL_EPOLL_CREATE1;
	case 441:
		return EMU_CALL_EPOLL_PWAIT2;
	default:
		return EMU_CALL_OTHER;
	}
}

bool emu_arch_is_exec(uint32_t audit, int nr)
{
	if (audit == AUDIT_ARCH_I386)
		return nr == 11 || nr == 358;
	/* The last two are those of x32. */
	return audit == AUDIT_ARCH_X86_64 &&
	       (nr == 59 || nr == 322 || nr == (X32_BIT | 520) ||
		       nr == (X32_BIT | 545));
}

bool emu_arch_is_userfaultfd(uint32_t audit, int nr, const uint64_t *args)
{
	bool new = (uint32_t)args[1] == EMU_USERFAULTFD_IOC_NEW;

	if (audit == AUDIT_ARCH_I386)
		return nr == 374 || (nr == 54 && new);
	if (audit != AUDIT_ARCH_X86_64)
		return false;
	/* The ioctl of x32 has a number of its own. */
	return (nr & ~X32_BIT) == 323 ||
	       ((nr == 16 || nr == (X32_BIT | 514)) && new);
}

void emu_arch_event_store(void *to, const struct emu_event *event)
{
	memcpy(to, &event->events, 4);
	memcpy((char *)to + 4, &event->data, 8);
}

void emu_arch_event_load(struct emu_event *event, const void *from)
{
	memcpy(&event->events, from, 4);
	memcpy(&event->data, (const char *)from + 4, 8);
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
	frame->ip = get(from, GREG_RIP);
	frame->sp = get(from, GREG_RSP);
	frame->result = get(from, GREG_RAX);
	frame->args[0] = get(from, GREG_RDI);
	frame->args[1] = get(from, GREG_RSI);
	frame->args[2] = get(from, GREG_RDX);
	frame->args[3] = get(from, GREG_R10);
	frame->args[4] = get(from, GREG_R8);
	frame->args[5] = get(from, GREG_R9);
	frame->nr = -1;
}

void emu_arch_frame_store(void *to, const struct emu_sigframe *frame)
{
	set(to, GREG_RIP, frame->ip);
	set(to, GREG_RAX, frame->result);
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
	memcpy(sig, (const char *)from + SIGINFO, sizeof(*sig));
	memcpy(code, (const char *)from + SI_CODE, sizeof(*code));
}

int emu_arch_frame_restarts(
	const struct emu_sigframe *frame, uint64_t ip, int nr)
{
	return frame->ip == ip - INSN_SIZE && frame->result == (uint64_t)nr;
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
	(void)first_arg; /* rdi is as it was */
	frame->ip = ip - INSN_SIZE;
	frame->result = (uint64_t)nr;
}

static int immediate(const unsigned char *at)
{
	int32_t nr;

	memcpy(&nr, at, sizeof(nr));
	return nr;
}

/*
 * What the C libraries put before `syscall`, where the number is a constant.
 * Code that takes it from a variable, as syscall(3) does, does not tell.
 */
int emu_arch_frame_call(const struct emu_sigframe *frame, const void *code)
{
	const unsigned char *end = (const unsigned char *)code + CODE_SIZE - 2;

	(void)frame;
	if (end[0] != 0x0f || end[1] != 0x05)
		return -1;
	if (end[-4] == 0x8b && end[-3] == 0x7c && end[-2] == 0x24)
		end -= 4; /* mov disp8(%rsp),%edi */
	if (end[-2] == 0x31 && end[-1] == 0xc0)
		return 0; /* xor %eax,%eax */
	if (end[-5] == 0xb8)
		return immediate(end - 4); /* mov $nr,%eax */
	if (end[-7] == 0x48 && end[-6] == 0xc7 && end[-5] == 0xc0)
		return immediate(end - 4); /* mov $nr,%rax */
	return -1;
}

int emu_arch_frame_next_call(const struct emu_sigframe *frame, const void *code)
{
	const unsigned char *bytes = code;

	return bytes[0] == 0x0f && bytes[1] == 0x05 ? (int)frame->result : -1;
}

bool emu_arch_is_cut_off(pid_t tid, const struct emu_call *call)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return false;
	return regs.rip == call->ip && (int)regs.orig_rax == call->nr &&
	       (long long)regs.rax == -ERESTARTSYS &&
	       memcmp(call->args,
		       (uint64_t[]){regs.rdi, regs.rsi, regs.rdx, regs.r10,
			       regs.r8, regs.r9},
		       sizeof(call->args)) == 0;
}

int emu_arch_set_result(pid_t tid, uint64_t ip, int64_t result)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -errno;
	regs.rip = ip;
	regs.rax = (unsigned long long)result;
	regs.orig_rax = (unsigned long long)-1; /* no call to run again */
	if (ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0)
		return -errno;
	return 0;
}

const int emu_arch_registers = 17;
const int emu_arch_register_sp = 7;

int emu_arch_get_registers(pid_t tid, uint64_t *registers)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -errno;
	memcpy(registers,
		(uint64_t[]){regs.rax, regs.rdx, regs.rcx, regs.rbx, regs.rsi,
			regs.rdi, regs.rbp, regs.rsp, regs.r8, regs.r9,
			regs.r10, regs.r11, regs.r12, regs.r13, regs.r14,
			regs.r15, regs.rip},
		17 * sizeof(*registers));
	return 0;
}

/* call rel32, or the forms of call r/m64, less those with an index. */
bool emu_arch_ends_with_call(const void *code, uint64_t at, uint64_t *target)
{
	const unsigned char *end = (const unsigned char *)code + 8;

	*target = 0;
	if (end[-5] == 0xe8) {
		*target = at + (uint64_t)(int64_t)immediate(end - 4);
		return true;
	}
	if (end[-2] == 0xff && (end[-1] & 0x38) == 0x10)
		return (end[-1] & 0xc0) == 0xc0 || (end[-1] & 0xc0) == 0;
	if (end[-3] == 0xff && (end[-2] & 0xf8) == 0x50)
		return true;
	return end[-6] == 0xff && (end[-5] == 0x15 || (end[-5] & 0xf8) == 0x90);
}

int emu_arch_get_stack(pid_t tid, uint64_t *sp)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -errno;
	*sp = regs.rsp;
	return 0;
}

#endif
