/* SPDX-License-Identifier: MIT */
/*
 * Ptrace stops. They are short: a thread is seized for one change and let go,
 * or at most for the time that it sleeps under another signal mask.
 */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

int emu_stop_request(int request, pid_t tid, unsigned long addr, void *data)
{
	return ptrace((enum __ptrace_request)request, tid, addr, data) < 0
		       ? -errno
		       : 0;
}

int emu_stop_seize(const struct emu_thread *thread)
{
	uint64_t tracer = 0;
	int rc = emu_stop_request(PTRACE_SEIZE, thread->tid, 0, NULL);

	if (rc < 0 && emu_target_number(thread, "TracerPid", &tracer) == 0 &&
		tracer == (uint64_t)getpid())
		return 0;
	return rc;
}

bool emu_stop_wait(pid_t tid, int *status)
{
	siginfo_t info;

	emu_guard_arm();
	while (waitid(P_PID, (id_t)tid, &info,
		       WSTOPPED | WEXITED | WNOWAIT | __WALL) < 0) {
		if (errno != EINTR || emu_stop_request(PTRACE_INTERRUPT, tid, 0,
					      NULL) == -ESRCH)
			return false;
	}
	if (info.si_code != CLD_STOPPED && info.si_code != CLD_TRAPPED)
		return false;
	return waitpid(tid, status, __WALL | WNOHANG) == tid &&
	       WIFSTOPPED(*status);
}

bool emu_stop_is_event(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

int emu_stop_signal(int status)
{
	return emu_stop_is_event(status) ? 0 : WSTOPSIG(status);
}

int emu_stop_let_go(pid_t tid, int sig)
{
	return emu_stop_request(PTRACE_DETACH, tid, 0, (void *)(intptr_t)sig);
}
