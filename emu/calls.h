/* SPDX-License-Identifier: MIT */
/*
 * The trapped calls: what was asked, decoded from the registers as the kernel
 * decodes it (arguments are truncated to their types).
 */
#ifndef EMU_CALLS_H
#define EMU_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "epoll_emul.h"

/* ioctl(2) on /dev/userfaultfd, Linux 6.1 */
#define EMU_USERFAULTFD_IOC_NEW 0xaa00u

enum emu_call_kind {
	EMU_CALL_EPOLL_CREATE,
	EMU_CALL_EPOLL_CREATE1,
	EMU_CALL_EPOLL_CTL,
	EMU_CALL_EPOLL_WAIT,
	EMU_CALL_EPOLL_PWAIT,
	EMU_CALL_EPOLL_PWAIT2,
	EMU_CALL_EVENTFD,
	EMU_CALL_EVENTFD2,
	EMU_CALL_READ,
	EMU_CALL_WRITE,
	EMU_CALL_RT_SIGRETURN,
	EMU_CALL_OTHER, /* none of ours */
	EMU_CALL_USERFAULTFD, /* makes one */
	EMU_CALL_EXEC, /* execve() and execveat(), of any architecture */
	EMU_CALLS = EMU_CALL_OTHER, /* so many are counted and shown */
};

struct emu_thread;
struct emu_object;

/* One trapped call, from receive to answer. */
struct emu_call {
	uint64_t id; /* the notifier's cookie */
	struct emu_thread *thread;
	enum emu_call_kind kind;
	int nr;
	uint64_t ip; /* the instruction after the call */
	uint64_t args[6];
	/*
	 * Its thread is in a ptrace stop on its way out of the call: the
	 * answer goes into its registers (hold.c).
	 */
	bool stopped;
	bool touched; /* its memory was seen to, see touch.c */
	bool again; /* it was in such a stop, which could not end it */
	bool had_events; /* a wait that found some, before it was stopped */

	/*
	 * What was found out on the way, for those who observe. The objects may
	 * go at any time: see emu_call_keep().
	 */
	struct emu_object *object; /* the epoll or eventfd that it is about */
	struct emu_object *item; /* of epoll_ctl(), if it is emulated */
	uint64_t value; /* read from, or to write to, that eventfd */
	struct emu_event event; /* of epoll_ctl() */
};

/* A copy for later, without the objects. */
struct emu_call emu_call_keep(const struct emu_call *call);

/* The call's name, as in its manual page. */
const char *emu_call_name(enum emu_call_kind kind);

/* Is it about an epoll? */
bool emu_call_is_epoll(enum emu_call_kind kind);

/* Is it epoll_wait() or one of its kin? */
bool emu_call_is_wait(enum emu_call_kind kind);

/* Does it make an epoll or an eventfd? */
bool emu_call_makes(enum emu_call_kind kind);

/* Is it one and the same call, made again by the same thread? */
bool emu_call_repeats(
	const struct emu_call *call, const struct emu_call *earlier);

static inline int emu_call_int(const struct emu_call *call, int index)
{
	return (int)(uint32_t)call->args[index];
}

#endif
