/* SPDX-License-Identifier: MIT */
/*
 * Process trees, as /proc shows them.
 *
 * To kill a tree while it grows: first stop every member, again and again
 * until a pass over /proc shows no new one, then kill them all. A stopped
 * process cannot fork, and while none of them dies no child is handed to
 * another parent, so none escapes between two passes. Zombies are walked
 * through, for their children may not have been handed over yet.
 */
#define _GNU_SOURCE
#include "launcher/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct process {
	pid_t pid, parent;
	char state;
	bool member;
};

/* What was stopped, and the processes of the last pass. */
struct tree {
	struct process *processes;
	size_t count, space;
	pid_t *stopped;
	size_t stopped_count, stopped_space;
};

char emu_tree_state(pid_t pid, pid_t *parent)
{
	char path[32], stat[256], state;
	const char *after_name;
	ssize_t size;
	int fd, ppid;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return '\0';
	size = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (size <= 0)
		return '\0';
	stat[size] = '\0';
	/* The name stands in parentheses and may hold any of them itself. */
	after_name = strrchr(stat, ')');
	if (!after_name || sscanf(after_name, ") %c %d", &state, &ppid) != 2)
		return '\0';
	if (parent)
		*parent = ppid;
	return state;
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
		struct process process = {.pid = atoi(entry->d_name)};

		if (process.pid <= 0)
			continue;
		process.state = emu_tree_state(process.pid, &process.parent);
		if (!process.state)
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

/* A child may stand before its parent, so walk until nothing changes. */
static void mark_members(struct tree *tree, pid_t root)
{
	bool changed = true;
	size_t i;

	while (changed) {
		changed = false;
		for (i = 0; i < tree->count; i++) {
			struct process *process = &tree->processes[i];

			if (process->member)
				continue;
			process->member = process->parent == root ||
					  is_member(tree, process->parent);
			changed |= process->member;
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
		const struct process *process = &tree->processes[i];

		if (!process->member || strchr("ZX", process->state) ||
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

int emu_tree_kill(pid_t root)
{
	struct tree tree = {0};
	int killed = 0;
	size_t i;

	do {
		read_processes(&tree);
		mark_members(&tree, root);
	} while (stop_new_members(&tree));
	for (i = 0; i < tree.stopped_count; i++)
		killed += kill(tree.stopped[i], SIGKILL) == 0;
	free(tree.processes);
	free(tree.stopped);
	return killed;
}
