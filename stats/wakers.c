/* SPDX-License-Identifier: MIT */
/*
 * Who else could wake a process.
 *
 * In doubt somebody could: whoever asks here wants to say that a program
 * hangs, and a program that only has nothing to do must not be called so. A
 * process that may not be looked at, because it is another user's, is taken
 * to have no part in it.
 */
#include "stats/wakers.h"

#include <dirent.h>
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/proc.h"

int stats_wakers_each_thread(
	pid_t process, bool (*sleeps)(void *ctx, pid_t tid), void *ctx)
{
	char path[48];
	const struct dirent *entry;
	int count = 0;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	tasks = opendir(path);
	if (!tasks)
		return 0;
	while ((entry = readdir(tasks))) {
		if (entry->d_name[0] == '.')
			continue;
		if (!sleeps(ctx, (pid_t)strtol(entry->d_name, NULL, 10))) {
			count = 0;
			break;
		}
		count++;
	}
	closedir(tasks);
	return count;
}

static bool waits_for_futex(unsigned long op)
{
	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return true;
	default:
		return false;
	}
}

bool stats_wakers_in_futex(pid_t tid)
{
	char path[48], text[256];
	unsigned long nr, op, timeout;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)tid);
	if (emu_proc_read(path, text, sizeof(text)) <= 0 ||
		sscanf(text, "%lu %*x %lx %*x %lx", &nr, &op, &timeout) != 3)
		return false;
	return nr == SYS_futex && waits_for_futex(op) && timeout == 0;
}

static uint64_t bit(int number)
{
	return (uint64_t)1 << (number - 1);
}

/*
 * Handlers that nearly every program has do not count: those of faults, and
 * Python's of SIGINT.
 */
static uint64_t purposeful(void)
{
	uint64_t real_time = ~(uint64_t)0 << (SIGRTMIN - 1);

	return real_time | bit(SIGHUP) | bit(SIGTERM) | bit(SIGUSR1) |
	       bit(SIGUSR2) | bit(SIGALRM) | bit(SIGVTALRM) | bit(SIGPROF) |
	       bit(SIGCHLD) | bit(SIGIO);
}

bool stats_wakers_has_handler(pid_t process)
{
	static const char key[] = "SigCgt:\t";
	char path[48], text[4096];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)process);
	emu_proc_read(path, text, sizeof(text));
	at = strstr(text, key);
	return !at || strtoull(at + strlen(key), NULL, 16) & purposeful();
}

int stats_wakers_eventfd_id(pid_t process, int fd, uint64_t *id)
{
	static const char key[] = "eventfd-id:";
	char path[64], text[512];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)process, fd);
	emu_proc_read(path, text, sizeof(text));
	at = strstr(text, key);
	if (!at)
		return -ENOENT;
	*id = strtoull(at + strlen(key), NULL, 10);
	return 0;
}

/* Is the descriptor at this path an eventfd? */
static bool is_eventfd(const char *path)
{
	static const char name[] = "anon_inode:[eventfd]";
	char link[sizeof(name)];

	return readlink(path, link, sizeof(link)) ==
		       (ssize_t)sizeof(name) - 1 &&
	       memcmp(link, name, sizeof(name) - 1) == 0;
}

static bool has_one(pid_t process, int fd, const uint64_t *ids, size_t count)
{
	uint64_t id;

	if (stats_wakers_eventfd_id(process, fd, &id) < 0)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Has the process one of them in its table? */
static bool holds(pid_t process, const uint64_t *ids, size_t count)
{
	char folder[48], path[320];
	const struct dirent *entry;
	bool found = false;
	DIR *fds;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)process);
	fds = opendir(folder);
	if (!fds)
		return false;
	while (!found && (entry = readdir(fds))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		found = is_eventfd(path) &&
			has_one(process, (int)strtol(entry->d_name, NULL, 10),
				ids, count);
	}
	closedir(fds);
	return found;
}

bool stats_wakers_shared(pid_t process, const uint64_t *ids, size_t count)
{
	const struct dirent *entry;
	bool found = false;
	DIR *processes;

	if (count == 0)
		return false;
	processes = opendir("/proc");
	if (!processes)
		return true;
	while (!found && (entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		found = pid > 0 && pid != process && pid != getpid() &&
			holds(pid, ids, count);
	}
	closedir(processes);
	return found;
}
