/* SPDX-License-Identifier: MIT */
/*
 * Which processes may have memory whose pages a program brings.
 *
 * That is a process that made a userfaultfd(2), one that has its memory in
 * common with that (CLONE_VM), and one that was forked by it: its memory may be
 * under the same descriptor (UFFD_FEATURE_EVENT_FORK). Of one whose parent has
 * gone nobody can say by whom it was forked. All others have pages that nobody
 * but the kernel brings, and their calls need not wait behind those of a
 * program that brings none.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "supervisor.h"

/* Of those that have ended so many are kept at least. */
#define SPARED 64

/* A chain of ancestors that is longer may have changed meanwhile. */
#define GENERATIONS 64

struct ended {
	pid_t *processes;
	size_t count;
};

static void note_if_ended(void *ctx, void *value)
{
	struct ended *ended = ctx;
	pid_t process = (pid_t)(intptr_t)value;

	if (kill(process, 0) < 0 && errno == ESRCH)
		ended->processes[ended->count++] = process;
}

/* Now and then, so that it costs each process little. */
static void prune(struct emu_faults *faults)
{
	struct ended ended = {.count = 0};

	if (faults->processes.count < faults->prune_at)
		return;
	ended.processes = calloc(faults->processes.count, sizeof(pid_t));
	if (!ended.processes)
		return;
	emu_table_each(&faults->processes, note_if_ended, &ended);
	for (size_t i = 0; i < ended.count; i++)
		emu_table_take(
			&faults->processes, (uint64_t)ended.processes[i]);
	free(ended.processes);
	faults->prune_at = 2 * faults->processes.count + SPARED;
}

static bool is_known(const struct emu_faults *faults, pid_t process)
{
	return emu_table_get(&faults->processes, (uint64_t)process);
}

static void add(struct emu_faults *faults, pid_t process)
{
	if (is_known(faults, process))
		return;
	prune(faults);
	if (emu_table_set(&faults->processes, (uint64_t)process,
		    (void *)(intptr_t)process) < 0)
		return; /* its calls may have to wait for its pages */
	faults->changes++;
}

void emu_faults_begin(struct emu_faults *faults, struct emu_thread *thread)
{
	add(faults, thread->tgid);
}

static bool has_such_ancestor(const struct emu_faults *faults, pid_t process)
{
	pid_t parent, self = getpid();

	for (int i = 0; i < GENERATIONS && process > 1; i++) {
		if (is_known(faults, process))
			return true;
		parent = emu_target_parent_of(process);
		if (parent == self) /* orphans are, and the program is */
			return process != faults->program;
		process = parent;
	}
	return false;
}

/* Whose memory is looked for, and was found. */
struct owner {
	pid_t process;
	bool found;
};

static void compare(void *ctx, void *value)
{
	struct owner *owner = ctx;

	owner->found = owner->found ||
		       syscall(SYS_kcmp, owner->process, (pid_t)(intptr_t)value,
			       KCMP_VM, 0, 0) == 0;
}

static bool shares_memory(const struct emu_faults *faults, pid_t process)
{
	struct owner owner = {.process = process};

	emu_table_each(&faults->processes, compare, &owner);
	return owner.found;
}

bool emu_faults_possible(struct emu_faults *faults, struct emu_thread *thread)
{
	if (!faults->changes || thread->faults_seen == faults->changes)
		return thread->faults;
	if (!thread->faults && (has_such_ancestor(faults, thread->tgid) ||
				       shares_memory(faults, thread->tgid))) {
		/* It may outlive the one that it has this from. */
		add(faults, thread->tgid);
		thread->faults = true;
	}
	thread->faults_seen = faults->changes;
	return thread->faults;
}

void emu_faults_finish(struct emu_faults *faults)
{
	emu_table_clear(&faults->processes, NULL, NULL);
}
