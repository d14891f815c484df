/* SPDX-License-Identifier: MIT */
/*
 * Processes that hang: all their threads sleep without a timeout, and nothing
 * but a signal can wake one.
 *
 * What could wake them is told by waits.c. Where that is something that no
 * process has in its hands, such as a network socket, they do not hang. Else
 * it is asked who has these files, or the epoll, or the very memory.
 * A process that has, and does not hang itself, can end the sleep. So all
 * sleeping processes are taken to hang at first, and those that one awake can
 * wake are crossed out, until there is none to cross out.
 *
 * All this is looked at bit by bit while others run. Therefore a verdict takes
 * three looks: between the first and the second no thread of the process has
 * run, so its state was one; and the second and the third came to the same
 * verdict, with no thread run between.
 */
#include "stats/hang.h"

#include <stdlib.h>

#include "emu/proc.h"
#include "stats/holders.h"
#include "stats/threads.h"

enum { REST = 10 }; /* limits, until one that was cleared is judged anew */

struct process {
	pid_t pid;
	bool seen; /* in the look under way */
	struct stats_threads threads;
	bool stable; /* all its threads slept since the last look */
	bool hangs; /* as far as is known */
	bool group; /* so do others that have what it waits for */
	bool suspected; /* it hung at the last look */
	bool told;
	uint64_t rest_until_ns;
};

/* `holder` can wake the process. */
struct link {
	size_t process;
	pid_t holder;
};

struct stats_hang {
	struct stats_waits *waits;
	uint64_t limit_ns;
	uint64_t now_ns;
	struct stats_array processes;
	struct stats_array sources; /* struct stats_source, for the search */
	struct stats_array owners; /* size_t: the process that each can wake */
	struct stats_array links;
	bool failed; /* memory is short: nothing can be said */
};

static void *append(
	struct stats_hang *hang, struct stats_array *array, size_t size)
{
	void *new = stats_array_append(array, size);

	hang->failed |= !new;
	return new;
}

static struct process *processes(const struct stats_hang *hang)
{
	return hang->processes.all;
}

struct stats_hang *stats_hang_create(
	struct stats_waits *waits, uint64_t limit_ns)
{
	struct stats_hang *hang = calloc(1, sizeof(*hang));

	if (!hang)
		return NULL;
	hang->waits = waits;
	hang->limit_ns = limit_ns;
	return hang;
}

void stats_hang_destroy(struct stats_hang *hang)
{
	if (!hang)
		return;
	free(hang->processes.all);
	free(hang->sources.all);
	free(hang->owners.all);
	free(hang->links.all);
	free(hang);
}

static struct process *find_process(const struct stats_hang *hang, pid_t pid)
{
	for (size_t i = 0; i < hang->processes.count; i++) {
		if (processes(hang)[i].pid == pid)
			return &processes(hang)[i];
	}
	return NULL;
}

/* The processes of this look: those that somebody waits in. */
static void see_processes(struct stats_hang *hang)
{
	size_t count, kept = 0;
	const struct stats_waiter *waiters =
		stats_waits_all(hang->waits, &count);

	for (size_t i = 0; i < count; i++) {
		pid_t pid = waiters[i].view.process;
		struct process *process = find_process(hang, pid);

		if (!process) {
			process = append(
				hang, &hang->processes, sizeof(*process));
			if (!process)
				return;
			*process = (struct process){.pid = pid};
		}
		process->seen = true;
		process->told |= waiters[i].told;
	}
	for (size_t i = 0; i < hang->processes.count; i++) {
		if (!processes(hang)[i].seen)
			continue;
		processes(hang)[kept] = processes(hang)[i];
		processes(hang)[kept++].seen = false;
	}
	hang->processes.count = kept;
}

static enum stats_sleep sleep_of(void *ctx, pid_t tid)
{
	return stats_waits_sleep(ctx, tid);
}

/* Has it slept since the last look? */
static void check_sleep(struct stats_hang *hang, struct process *process)
{
	struct stats_threads before = process->threads;
	bool asleep = stats_waits_forever(hang->waits, process->pid) &&
		      stats_threads_asleep(process->pid, sleep_of, hang->waits,
			      &process->threads);

	if (asleep && before.stamp == process->threads.stamp) {
		process->stable = true;
		return;
	}
	*process = (struct process){
		.pid = process->pid,
		.threads = process->threads,
	};
	if (!asleep)
		process->threads.stamp = 0;
}

/* Is there one that is to be judged? */
static bool any_due(const struct stats_hang *hang)
{
	for (size_t i = 0; i < hang->processes.count; i++) {
		const struct process *process = &processes(hang)[i];

		if (process->stable && !process->told &&
			process->rest_until_ns <= hang->now_ns)
			return true;
	}
	return false;
}

/* All that may wake a process. False when something may that is not judged. */
static bool add_sources(struct stats_hang *hang, size_t process)
{
	if (!stats_waits_sources(
		    hang->waits, processes(hang)[process].pid, &hang->sources))
		return false;
	while (hang->owners.count < hang->sources.count) {
		size_t *owner = append(hang, &hang->owners, sizeof(*owner));

		if (!owner)
			return false;
		*owner = process;
	}
	return true;
}

/*
 * Could a signal, or the kernel by itself, wake it? A handler of SIGINT is one
 * that every Python program has; it counts only where it may be one that writes
 * to a pipe or socket of its own process.
 */
static bool may_be_signalled(
	const struct stats_hang *hang, size_t first, pid_t pid)
{
	const struct stats_source *sources = hang->sources.all;
	bool pipe = false;

	for (size_t i = first; i < hang->sources.count; i++)
		pipe |= sources[i].kind == STATS_SOURCE_PIPE ||
			sources[i].kind == STATS_SOURCE_SOCKET;
	return stats_threads_catch(pid, pipe) || stats_holders_kernel_has(pid);
}

static void accuse(struct stats_hang *hang)
{
	hang->sources.count = hang->owners.count = hang->links.count = 0;
	for (size_t i = 0; i < hang->processes.count; i++) {
		struct process *process = &processes(hang)[i];
		size_t first = hang->sources.count;

		process->group = false;
		process->hangs = process->stable && add_sources(hang, i) &&
				 !may_be_signalled(hang, first, process->pid);
		if (!process->hangs)
			hang->sources.count = hang->owners.count = first;
	}
}

static void found_holder(void *ctx, size_t index, pid_t holder)
{
	struct stats_hang *hang = ctx;
	size_t process = ((const size_t *)hang->owners.all)[index];
	struct link *link;

	if (processes(hang)[process].pid == holder)
		return;
	link = append(hang, &hang->links, sizeof(*link));
	if (link)
		*link = (struct link){.process = process, .holder = holder};
}

/* Crosses out who can be woken by one that does not hang. */
static bool cross_out(struct stats_hang *hang)
{
	const struct link *links = hang->links.all;
	bool changed = false;

	for (size_t i = 0; i < hang->links.count; i++) {
		struct process *process = &processes(hang)[links[i].process];
		const struct process *holder =
			find_process(hang, links[i].holder);

		process->group = true;
		if (!process->hangs || (holder && holder->hangs))
			continue;
		process->hangs = false;
		changed = true;
	}
	return changed;
}

static void name_of(pid_t process, char name[EMU_VIEW_COMM])
{
	char path[48];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)process);
	length = emu_proc_read(path, name, EMU_VIEW_COMM);
	for (ssize_t i = 0; i < length; i++) {
		if (name[i] == '\n')
			name[i] = '\0';
		else if (name[i] < ' ' || name[i] > '~')
			name[i] = '?';
	}
}

static void tell(const struct process *process, FILE *out)
{
	char name[EMU_VIEW_COMM];

	name_of(process->pid, name);
	fprintf(out,
		"stall: nothing can wake process %d \"%s\" but a signal: all "
		"its threads (%d) sleep without a timeout, and no other "
		"process%s has what they wait for\n",
		(int)process->pid, name, process->threads.count,
		process->group ? " that does not hang like this" : "");
}

static bool pronounce(struct stats_hang *hang, FILE *out)
{
	bool found = false;

	for (size_t i = 0; i < hang->processes.count; i++) {
		struct process *process = &processes(hang)[i];

		if (process->stable && !process->hangs)
			process->rest_until_ns =
				hang->now_ns + REST * hang->limit_ns;
		if (process->hangs && process->suspected && !process->told) {
			tell(process, out);
			process->told = found = true;
		}
		process->suspected = process->hangs;
	}
	return found;
}

bool stats_hang_judge(struct stats_hang *hang, uint64_t now_ns, FILE *out)
{
	hang->now_ns = now_ns;
	hang->failed = !stats_waits_whole(hang->waits);
	see_processes(hang);
	for (size_t i = 0; i < hang->processes.count; i++)
		check_sleep(hang, &processes(hang)[i]);
	if (hang->failed || !any_due(hang))
		return false;
	accuse(hang);
	if (!stats_holders_each(hang->sources.all, hang->sources.count,
		    found_holder, hang) ||
		hang->failed)
		return false;
	while (cross_out(hang))
		;
	return pronounce(hang, out);
}
