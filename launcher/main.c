/* SPDX-License-Identifier: MIT */
/*
 * epemu: runs a program with its epoll and eventfd served from user space.
 *
 * Three processes, made in this order, and a helper:
 *
 *   launcher    this one, which the shell started and knows. It stays in the
 *               shell's job, passes signals on, and stops and ends as the
 *               program does (mirror.c). A canary in its process group, made
 *               by the supervisor, helps it with the signals (canary.c).
 *   supervisor  its child, detached from everything (supervise.c). It answers
 *               the trapped calls until the last process that makes any is
 *               gone, which may be long after the launcher.
 *   program     the supervisor's child, in the launcher's session and process
 *               group, with the descriptors, limits, signal mask and so on
 *               that epemu was started with (program.c, inherited.c).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

#include "launcher/fds.h"
#include "launcher/inherited.h"
#include "launcher/message.h"
#include "launcher/mirror.h"
#include "launcher/needs.h"
#include "launcher/offline.h"
#include "launcher/options.h"
#include "launcher/supervise.h"
#include "launcher/tracing.h"

/* Forks the supervisor. Returns 0, or -1 after saying why not. */
static int start_supervisor(struct emu_launch *launch,
	const struct emu_inherited *inherited, const struct emu_log *log,
	struct emu_mirror *mirror)
{
	pid_t launcher = getpid();
	int control[2];
	int error = emu_fds_pair(control);

	if (error == 0) {
		mirror->control = control[0];
		mirror->relay.supervisor = fork();
		if (mirror->relay.supervisor == 0) {
			close(control[0]);
			emu_supervise_run(launch, inherited,
				mirror->relay.canary, control[1], launcher);
		}
		close(control[1]);
		close(mirror->relay.canary->its_fd);
		mirror->relay.canary->its_fd = -1;
		if (mirror->relay.supervisor > 0)
			return 0;
		error = -errno;
	}
	emu_logf(log,
		"cannot start the supervisor: %s; check the limits of "
		"processes and open files",
		strerror(-error));
	return -1;
}

static int start(int argc, char **argv)
{
	struct emu_canary canary;
	struct emu_launch launch;
	struct emu_mirror mirror = {
		.messages = &launch.messages.outlet,
		.relay = {.program_pidfd = -1, .canary = &canary},
	};
	struct emu_inherited inherited;
	struct emu_log log;
	int status = emu_offline_run(argc, argv);

	if (status < 0)
		status = emu_options_parse(&launch, argc, argv);
	if (status >= 0)
		return status;
	mirror.takes_usr1 =
		launch.stats || launch.interval_ns || launch.stall_ns;
	log = emu_message_log(mirror.messages);
	emu_inherited_save(&inherited);
	if (emu_tracing_open(&launch, &inherited.mask, &log) < 0)
		return EMU_EXIT_FAILURE;
	if (emu_needs_check(&log) < 0)
		return EMU_EXIT_FAILURE;
	emu_tree_note_others(&mirror.others);
	emu_canary_open(&canary);
	/* Orphans are adopted, so that they can be found if the supervisor
	 * dies. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (start_supervisor(&launch, &inherited, &log, &mirror) < 0) {
		return EMU_EXIT_FAILURE;
	}
	emu_mirror_run(&mirror);
}

/* For the new stack, to which no arguments come. */
static int count;
static char **words;

static void run(void)
{
	exit(start(count, words));
}

/*
 * The limit of stack that the program is to have may be far less than epemu
 * and its libraries need.
 */
static _Noreturn void run_with_stack(void)
{
	const size_t size = 1 << 20;
	struct rlimit limit;
	ucontext_t context;
	char *stack;

	if (getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= size)
		run();
	/* The first page is a guard. */
	stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED || mprotect(stack, 4096, PROT_NONE) < 0 ||
		getcontext(&context) < 0)
		run();
	context.uc_stack.ss_sp = stack;
	context.uc_stack.ss_size = size;
	makecontext(&context, run, 0);
	setcontext(&context);
	_exit(EMU_EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	count = argc;
	words = argv;
	run_with_stack();
}
