/* SPDX-License-Identifier: MIT */
/*
 * Ptrace stops. They are short: a thread is seized for one change and let go,
 * or at most for the time that it sleeps under another signal mask.
 */
#include "stop.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proc.h"

/*
 * How long a stop is looked for at once. Most come sooner, and a look costs
 * less than a turn of the loop.
 */
#define SOON_NS 100000u

int emu_stop_request(int request, pid_t tid, unsigned long addr, void *data)
{
	return ptrace((enum __ptrace_request)request, tid, addr, data) < 0
		       ? -errno
		       : 0;
}

int emu_stop_seize(struct emu_thread *thread)
{
	uint64_t tracer = 0;
	int rc = emu_stop_request(PTRACE_SEIZE, thread->tid, 0, NULL);

	if (rc != -EPERM)
		return rc;
	rc = emu_target_number(thread, "TracerPid", &tracer);
	if (emu_proc_no_room(rc))
		return -ENOMEM;
	if (rc < 0 || emu_target_killed(thread))
		return -ESRCH;
	if (tracer == (uint64_t)getpid())
		return 0;
	return tracer ? -EBUSY : -EPERM;
}

/* One look; -ESRCH: no stop will come. The end is left for the caller's
 * wait4(-1) to see. */
static int look(pid_t tid, int *status)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PID, (id_t)tid, &info,
		    WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return -ESRCH;
	if (!info.si_pid)
		return -EAGAIN;
	if (info.si_code != CLD_STOPPED && info.si_code != CLD_TRAPPED)
		return -ESRCH;
	return waitpid(tid, status, __WALL | WNOHANG) == tid &&
			       WIFSTOPPED(*status)
		       ? 0
		       : -ESRCH;
}

bool emu_stop_soon(pid_t tid, int *status)
{
	uint64_t until_ns = emu_loop_now_ns() + SOON_NS;
	int rc;

	while ((rc = look(tid, status)) == -EAGAIN &&
		emu_loop_now_ns() < until_ns)
		sched_yield();
	return rc == 0;
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
