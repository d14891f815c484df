/* SPDX-License-Identifier: MIT */
/*
 * Ptrace stops. They are short: a thread is seized for one change and let go,
 * or at most for the time that it sleeps under another signal mask.
 */
#include "stop.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guard.h"

/* A thread that is just being woken still looks asleep. */
#define LOOKS 4

/* So often the processor is yielded before the looks become rarer. */
#define YIELDS 100

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

/* The stop that waitid() has told about. */
static bool take(pid_t tid, const siginfo_t *info, int *status)
{
	return (info->si_code == CLD_STOPPED || info->si_code == CLD_TRAPPED) &&
	       waitpid(tid, status, __WALL | WNOHANG) == tid &&
	       WIFSTOPPED(*status);
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
	return take(tid, &info, status);
}

bool emu_stop_wait_running(struct emu_thread *thread, int *status)
{
	static const struct timespec pause = {.tv_nsec = 50000};
	int asleep = 0;

	for (int i = 0; asleep < LOOKS; i++) {
		siginfo_t info = {.si_pid = 0};

		/* This first: in the stop it looks asleep. */
		asleep = emu_target_runs(thread) ? 0 : asleep + 1;
		if (waitid(P_PID, (id_t)thread->tid, &info,
			    WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) <
			0)
			return false;
		if (info.si_pid)
			return take(thread->tid, &info, status);
		if (i < YIELDS)
			sched_yield();
		else
			nanosleep(&pause, NULL);
	}
	return false;
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
