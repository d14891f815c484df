/* SPDX-License-Identifier: MIT */
/*
 * The program's process, from fork to exec.
 *
 * From the moment the filter stands, this process is a traced one like any
 * other: a small read() or write() above descriptor 2 would wait for the
 * supervisor. So it talks to the supervisor by sendmsg, send and recv alone,
 * which the filter lets through. It prints nothing: the messages are the
 * supervisor's, which gets the error over the same socket.
 *
 * The listener is made here rather than in the supervisor because a filter
 * can be given to oneself only, and everything that this process forks or
 * execs keeps it.
 */
#define _GNU_SOURCE
#include "launcher/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "launcher/fds.h"
#include "launcher/needs.h"

static _Noreturn void fail(int socket, int error, const char *step)
{
	struct emu_program_failure failure = {.error = error};

	snprintf(failure.step, sizeof(failure.step), "%s", step);
	send(socket, &failure, sizeof(failure), MSG_NOSIGNAL);
	_exit(EMU_EXIT_FAILURE);
}

static _Noreturn void fail_exec(int socket, int error, const char *name)
{
	struct emu_program_failure failure = {
		.error = -error,
		.exists = strchr(name, '/') && access(name, F_OK) == 0,
	};

	send(socket, &failure, sizeof(failure), MSG_NOSIGNAL);
	_exit(error == ENOENT ? EMU_EXIT_NOT_FOUND : EMU_EXIT_NOT_EXECUTABLE);
}

bool emu_program_leads(pid_t launcher)
{
	return getpgrp() == launcher && isatty(STDIN_FILENO) &&
	       isatty(STDOUT_FILENO) && tcgetpgrp(STDIN_FILENO) == launcher;
}

/* All signals are blocked still, so SIGTTOU does not stop the second call. */
static void lead(void)
{
	if (setpgid(0, 0) == 0)
		tcsetpgrp(STDIN_FILENO, getpid());
}

/*
 * Has those of 0, 1 and 2 taken until exec that are closed: the listener must
 * not be 0, which libseccomp does not expect.
 */
static void fill_standard_fds(int socket)
{
	int fd;

	do
		fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

_Noreturn void emu_program_run(const struct emu_launch *launch,
	const struct emu_inherited *inherited, int socket, pid_t supervisor,
	bool leads)
{
	const char *step = "";
	char go;
	int listener, error;

	/* Without the supervisor nobody would answer the program's calls. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(EMU_EXIT_FAILURE);
	fill_standard_fds(socket);
	listener = emu_filter_install(&launch->emulation, &step);
	if (listener < 0)
		fail(socket, listener, step);
	error = emu_fds_send(socket, listener);
	if (error < 0)
		fail(socket, error, "sending the listener to the supervisor");
	close(listener);
	if (recv(socket, &go, sizeof(go), 0) != sizeof(go))
		_exit(EMU_EXIT_FAILURE);
	if (leads)
		lead();
	emu_inherited_restore(inherited);
	execvp(launch->argv[0], launch->argv);
	fail_exec(socket, errno, launch->argv[0]);
}

void emu_program_go(int socket)
{
	send(socket, &(char){0}, 1, MSG_NOSIGNAL);
}

void emu_program_explain(const struct emu_log *log, const char *name,
	const struct emu_program_failure *failure)
{
	const char *advice;

	if (*failure->step) {
		emu_needs_explain_filter(log, failure->error, failure->step);
		return;
	}
	switch (-failure->error) {
	case ENOENT:
		if (!strchr(name, '/'))
			advice = "it is in no folder of PATH; check the name "
				 "or give its path";
		else if (failure->exists)
			advice = "the file is there, but not the interpreter "
				 "that it names";
		else
			advice = "check the path";
		break;
	case EACCES:
		advice = "it must be a file with execute permission (chmod "
			 "+x), on a file system not mounted noexec";
		break;
	case ENOEXEC:
		advice = "it is not a program for this machine";
		break;
	case E2BIG:
		advice = "pass fewer arguments or a smaller environment";
		break;
	default:
		advice = "run it without epemu to see whether that works";
	}
	emu_logf(log, "cannot run '%.200s': %s; %s", name,
		strerror(-failure->error), advice);
}
