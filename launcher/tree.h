/* SPDX-License-Identifier: MIT */
/* Process trees, as /proc shows them. */
#ifndef EMU_TREE_H
#define EMU_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The state letter of `pid` in /proc/PID/stat, and its parent in *parent if
 * that is not NULL. Returns '\0' when there is no such process.
 */
char emu_tree_state(pid_t pid, pid_t *parent);

/* Whether `pid` is stopped, or about to be by a SIGSTOP that it got. */
bool emu_tree_stopped(pid_t pid);

/*
 * Descendants that a process had before it became epemu (a shell's background
 * jobs, say), and that are none of the program's.
 */
struct emu_tree_others {
	struct emu_tree_process *processes;
	size_t count;
};

/* Notes all that the caller has. Cheap if there are none. */
void emu_tree_note_others(struct emu_tree_others *others);

/*
 * Kills all descendants of the caller; with `others` not those, and none that
 * is not under one seccomp filter more than the caller, as the program is. The
 * caller must not reap any child while this runs. Returns how many were killed.
 */
int emu_tree_kill(const struct emu_tree_others *others);

/*
 * The same with no others, when the process of `parent` (a pidfd) is about to
 * end. It is waited for first: a process group that loses its last parent
 * outside while a process of it is stopped gets SIGHUP, and earlier jobs of a
 * shell may be in it.
 */
void emu_tree_kill_after(int parent);

/*
 * Reaps all children until there is none, but for the `others`; waits for
 * those that are still ending, two seconds at most. All signals must be
 * blocked. Who leaves zombies leaves them to process 1, which in a container
 * may reap nothing.
 */
void emu_tree_reap(const struct emu_tree_others *others);

#endif
