/* SPDX-License-Identifier: MIT */
/* Names and comparison of trapped calls. */
#include "calls.h"

#include <string.h>

struct emu_call emu_call_keep(const struct emu_call *call)
{
	struct emu_call copy = *call;

	copy.object = NULL;
	copy.item = NULL;
	return copy;
}

const char *emu_call_name(enum emu_call_kind kind)
{
	static const char *const names[] = {
		[EMU_CALL_EPOLL_CREATE] = "epoll_create",
		[EMU_CALL_EPOLL_CREATE1] = "epoll_create1",
		[EMU_CALL_EPOLL_CTL] = "epoll_ctl",
		[EMU_CALL_EPOLL_WAIT] = "epoll_wait",
		[EMU_CALL_EPOLL_PWAIT] = "epoll_pwait",
		[EMU_CALL_EPOLL_PWAIT2] = "epoll_pwait2",
		[EMU_CALL_EVENTFD] = "eventfd",
		[EMU_CALL_EVENTFD2] = "eventfd2",
		[EMU_CALL_READ] = "read",
		[EMU_CALL_WRITE] = "write",
		[EMU_CALL_RT_SIGRETURN] = "rt_sigreturn",
		[EMU_CALL_OTHER] = "?",
		[EMU_CALL_EXEC] = "execve",
	};

	return names[kind];
}

bool emu_call_is_epoll(enum emu_call_kind kind)
{
	return kind == EMU_CALL_EPOLL_CREATE ||
	       kind == EMU_CALL_EPOLL_CREATE1 || kind == EMU_CALL_EPOLL_CTL ||
	       emu_call_is_wait(kind);
}

bool emu_call_is_wait(enum emu_call_kind kind)
{
	return kind == EMU_CALL_EPOLL_WAIT || kind == EMU_CALL_EPOLL_PWAIT ||
	       kind == EMU_CALL_EPOLL_PWAIT2;
}

bool emu_call_makes(enum emu_call_kind kind)
{
	return kind == EMU_CALL_EPOLL_CREATE ||
	       kind == EMU_CALL_EPOLL_CREATE1 || kind == EMU_CALL_EVENTFD ||
	       kind == EMU_CALL_EVENTFD2;
}

bool emu_call_repeats(
	const struct emu_call *call, const struct emu_call *earlier)
{
	return call->nr == earlier->nr && call->ip == earlier->ip &&
	       memcmp(call->args, earlier->args, sizeof(call->args)) == 0;
}
