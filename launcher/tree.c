/* SPDX-License-Identifier: MIT */
/*
 * Process trees, as /proc shows them.
 *
 * To kill a tree while it grows: first stop every member, again and again
 * until a pass over /proc shows no new one, then kill them all. A stopped
 * process cannot fork, and while none of them dies no child is handed to
 * another parent, so none escapes between two passes. Zombies are walked
 * through, for their children may not have been handed over yet, and killed as
 * well, for other threads of theirs may go on.
 */
#define _GNU_SOURCE
#include "launcher/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_AGAIN_NS 10000000

enum { PATIENCE_S = 2 };

struct emu_tree_process {
	pid_t pid, parent;
	unsigned long long start; /* together with pid it is unique */
	char state;
	bool member;
};

/* What was stopped, and the processes of the last pass. */
struct tree {
	struct emu_tree_process *processes;
	size_t count, space;
	pid_t *stopped;
	size_t stopped_count, stopped_space;
};

/* Fills in what /proc says of process->pid. Returns whether it is there. */
static bool look_at(struct emu_tree_process *process)
{
	char path[32], stat[512];
	const char *after_name;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)process->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (size <= 0)
		return false;
	stat[size] = '\0';
	/* The name stands in parentheses and may hold any of them itself. */
	after_name = strrchr(stat, ')');
	return after_name &&
	       sscanf(after_name,
		       ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u "
		       "%*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		       &process->state, &process->parent, &process->start) == 3;
}

char emu_tree_state(pid_t pid, pid_t *parent)
{
	struct emu_tree_process process = {.pid = pid};

	if (!look_at(&process))
		return '\0';
	if (parent)
		*parent = process.parent;
	return process.state;
}

/* How many seccomp filters it is under; 0 if it is gone. */
static int filters_of(pid_t pid)
{
	char path[32], line[128];
	int count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Seccomp_filters: %d", &count) == 1)
			break;
	if (file)
		fclose(file);
	return count;
}

bool emu_tree_stopped(pid_t pid)
{
	char path[32], line[128];
	unsigned long long pending;
	bool stopped = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && !stopped && fgets(line, sizeof(line), file))
		if (sscanf(line, "SigPnd: %llx", &pending) == 1 ||
			sscanf(line, "ShdPnd: %llx", &pending) == 1)
			stopped = pending & 1ull << (SIGSTOP - 1);
	if (file)
		fclose(file);
	/* Last, for what was pending may have been taken meanwhile. */
	return stopped || emu_tree_state(pid, NULL) == 'T';
}

/* Makes room for one more. Returns false without memory. */
static bool grow(void **array, size_t *space, size_t count, size_t size)
{
	void *grown;

	if (count < *space)
		return true;
	grown = reallocarray(*array, *space ? *space * 2 : 64, size);
	if (!grown)
		return false;
	*array = grown;
	*space = *space ? *space * 2 : 64;
	return true;
}

static void read_processes(struct tree *tree)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	tree->count = 0;
	while (proc && (entry = readdir(proc)) != NULL) {
		struct emu_tree_process process = {.pid = atoi(entry->d_name)};

		if (process.pid <= 0 || !look_at(&process))
			continue;
		if (!grow((void **)&tree->processes, &tree->space, tree->count,
			    sizeof(process)))
			break;
		tree->processes[tree->count++] = process;
	}
	if (proc)
		closedir(proc);
}

static bool is_member(const struct tree *tree, pid_t pid)
{
	size_t i;

	for (i = 0; i < tree->count; i++)
		if (tree->processes[i].pid == pid)
			return tree->processes[i].member;
	return false;
}

static bool is_other(const struct emu_tree_others *others,
	const struct emu_tree_process *process)
{
	size_t i;

	for (i = 0; others && i < others->count; i++)
		if (others->processes[i].pid == process->pid &&
			others->processes[i].start == process->start)
			return true;
	return false;
}

/*
 * Whether it is none of the program's. A child that one of the others got
 * later and that has lost it is a child of ours; the filter tells.
 */
static bool is_spared(const struct emu_tree_others *others, int own_filters,
	const struct emu_tree_process *process)
{
	if (!others)
		return false;
	return is_other(others, process) ||
	       (process->state != 'Z' &&
		       filters_of(process->pid) <= own_filters);
}

/* A child may stand before its parent, so walk until nothing changes. */
static void mark_members(
	struct tree *tree, const struct emu_tree_others *others)
{
	int own_filters = others ? filters_of(getpid()) : 0;
	bool changed = true;
	size_t i;

	while (changed) {
		changed = false;
		for (i = 0; i < tree->count; i++) {
			struct emu_tree_process *process = &tree->processes[i];

			if (process->member ||
				(process->parent != getpid() &&
					!is_member(tree, process->parent)) ||
				is_spared(others, own_filters, process))
				continue;
			process->member = true;
			changed = true;
		}
	}
}

static bool was_stopped(const struct tree *tree, pid_t pid)
{
	size_t i;

	for (i = 0; i < tree->stopped_count; i++)
		if (tree->stopped[i] == pid)
			return true;
	return false;
}

/* Stops what was not stopped yet. Returns whether there was any such. */
static bool stop_new_members(struct tree *tree)
{
	bool any = false;
	size_t i;

	for (i = 0; i < tree->count; i++) {
		const struct emu_tree_process *process = &tree->processes[i];

		/* A zombie may be a leader whose other threads go on. */
		if (!process->member || process->state == 'X' ||
			was_stopped(tree, process->pid))
			continue;
		if (!grow((void **)&tree->stopped, &tree->stopped_space,
			    tree->stopped_count, sizeof(pid_t)))
			return any;
		tree->stopped[tree->stopped_count++] = process->pid;
		kill(process->pid, SIGSTOP);
		any = true;
	}
	return any;
}

void emu_tree_note_others(struct emu_tree_others *others)
{
	struct tree tree = {0};
	siginfo_t info;
	size_t i;

	*others = (struct emu_tree_others){0};
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
		return;
	read_processes(&tree);
	mark_members(&tree, NULL);
	others->processes = tree.processes;
	for (i = 0; i < tree.count; i++)
		if (tree.processes[i].member)
			others->processes[others->count++] = tree.processes[i];
}

int emu_tree_kill(const struct emu_tree_others *others)
{
	struct tree tree = {0};
	int killed = 0;
	size_t i;

	do {
		read_processes(&tree);
		mark_members(&tree, others);
	} while (stop_new_members(&tree));
	for (i = 0; i < tree.stopped_count; i++)
		killed += kill(tree.stopped[i], SIGKILL) == 0;
	free(tree.processes);
	free(tree.stopped);
	return killed;
}

void emu_tree_kill_after(int parent)
{
	struct pollfd end = {.fd = parent, .events = POLLIN};

	poll(&end, 1, PATIENCE_S * 1000);
	emu_tree_kill(NULL);
}

/* Whether the caller has a child that is none of the others. */
static bool has_child(const struct emu_tree_others *others)
{
	struct tree tree = {0};
	bool found = false;
	size_t i;

	read_processes(&tree);
	for (i = 0; i < tree.count && !found; i++)
		found = tree.processes[i].parent == getpid() &&
			!is_other(others, &tree.processes[i]);
	free(tree.processes);
	return found;
}

void emu_tree_reap(const struct emu_tree_others *others)
{
	static const struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};
	struct timespec now, end;
	sigset_t child;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PATIENCE_S;
	do {
		do
			pid = waitpid(-1, NULL, WNOHANG | __WALL);
		while (pid > 0);
		if (pid < 0 || (others && others->count && !has_child(others)))
			return;
		sigtimedwait(&child, NULL, &pause);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec <= end.tv_sec);
}
