/* SPDX-License-Identifier: MIT */
/*
 * Threads that sleep for good.
 *
 * In doubt one does not: whoever asks here wants to say that a program hangs,
 * and a program that only has nothing to do must not be called so. A thread
 * that is stopped, or in any call that is not known here, does not.
 *
 * A look takes a while, and meanwhile a thread that was looked at may have been
 * woken by one that was not. So there is a stamp of how often each thread was
 * run: between two looks with the same stamp none was. In each look the stamp
 * is taken of a thread last, so that the second look tells what it did all the
 * time.
 */
#include "stats/threads.h"

#include <dirent.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "emu/proc.h"

enum { ROOM = 4096 };

/* The file `name` of a thread. */
static ssize_t read_of(pid_t process, pid_t tid, const char *name, char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)process,
		(int)tid, name);
	return strcmp(name, "status") == 0
		       ? emu_proc_read_status(path, text, ROOM)
		       : emu_proc_read(path, text, ROOM);
}

/* The letter of its state, or 0. */
static char state_of(pid_t process, pid_t tid)
{
	char text[ROOM];
	const char *at;

	read_of(process, tid, "stat", text);
	at = strrchr(text, ')'); /* the end of its name */
	return at && at[1] == ' ' ? at[2] : '\0';
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

/* Is this address in memory that no other process shares? */
static bool is_private(pid_t process, unsigned long address)
{
	char path[48], line[ROOM];
	unsigned long start, end;
	bool private = false;
	char shared;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)process);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (!private && fgets(line, sizeof(line), maps)) {
		private = sscanf(line, "%lx-%lx %*3s%c", &start, &end,
				  &shared) == 3 &&
			  start <= address && address < end && shared == 'p';
	}
	fclose(maps);
	return private;
}

/* Does it wait in futex(2) for another thread of its process, for good? */
static bool in_futex(pid_t process, pid_t tid)
{
	unsigned long nr, address, op, timeout;
	char text[ROOM];

	read_of(process, tid, "syscall", text);
	if (sscanf(text, "%lu %lx %lx %*x %lx", &nr, &address, &op, &timeout) !=
		4)
		return false;
	return nr == SYS_futex && waits_for_futex(op) && timeout == 0 &&
	       (op & FUTEX_PRIVATE_FLAG || is_private(process, address));
}

static bool add_number(uint64_t *stamp, const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at)
		return false;
	/* FNV-1a, a number at a time. */
	*stamp ^= strtoull(at + strlen(key), NULL, 10);
	*stamp *= 0x100000001b3;
	return true;
}

static bool take_stamp(pid_t process, pid_t tid, uint64_t *stamp)
{
	char text[ROOM];

	read_of(process, tid, "status", text);
	return add_number(stamp, text, "\nPid:\t") &&
	       add_number(stamp, text, "\nvoluntary_ctxt_switches:\t") &&
	       add_number(stamp, text, "\nnonvoluntary_ctxt_switches:\t");
}

static bool sleeps(pid_t process, pid_t tid, enum stats_sleep known)
{
	if (known == STATS_SLEEP_TIMED || state_of(process, tid) != 'S')
		return false;
	return known == STATS_SLEEP_FOREVER || in_futex(process, tid);
}

bool stats_threads_asleep(pid_t process,
	enum stats_sleep (*sleep_of)(void *ctx, pid_t tid), void *ctx,
	struct stats_threads *threads)
{
	struct stats_threads seen = {.stamp = 0xcbf29ce484222325};
	char path[48];
	const struct dirent *entry;
	bool all = true;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)process);
	tasks = opendir(path);
	if (!tasks)
		return false;
	while (all && (entry = readdir(tasks))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		/* A leader that has ended stays until the others have. */
		if (tid == 0 || state_of(process, tid) == 'Z')
			continue;
		all = sleeps(process, tid, sleep_of(ctx, tid)) &&
		      take_stamp(process, tid, &seen.stamp);
		seen.count++;
	}
	closedir(tasks);
	*threads = seen;
	return all && seen.count > 0;
}

static uint64_t bit(int number)
{
	return (uint64_t)1 << (number - 1);
}

/*
 * Handlers of faults do not count, nor do those of the C library's own
 * real-time signals.
 */
static uint64_t purposeful(bool interrupt)
{
	uint64_t library = bit(SIGRTMIN) - bit(__SIGRTMIN);
	uint64_t faults = bit(SIGILL) | bit(SIGTRAP) | bit(SIGABRT) |
			  bit(SIGBUS) | bit(SIGFPE) | bit(SIGSEGV) |
			  bit(SIGPIPE) | bit(SIGSYS);

	return ~(library | faults | (interrupt ? 0 : bit(SIGINT)));
}

bool stats_threads_catch(pid_t process, bool interrupt)
{
	static const char key[] = "SigCgt:\t";
	char text[ROOM];
	const char *at;

	read_of(process, process, "status", text);
	at = strstr(text, key);
	return !at ||
	       strtoull(at + strlen(key), NULL, 16) & purposeful(interrupt);
}
