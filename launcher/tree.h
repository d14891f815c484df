/* SPDX-License-Identifier: MIT */
/* Process trees, as /proc shows them. */
#ifndef EMU_TREE_H
#define EMU_TREE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * The state letter of `pid` in /proc/PID/stat, and its parent in *parent if
 * that is not NULL. Returns '\0' when there is no such process.
 */
char emu_tree_state(pid_t pid, pid_t *parent);

/* Whether `pid` is stopped, or about to be by a SIGSTOP that it got. */
bool emu_tree_stopped(pid_t pid);

/*
 * Kills all descendants of `root`, but not `root` itself. The caller must
 * not reap any child while this runs. Returns how many were killed.
 */
int emu_tree_kill(pid_t root);

#endif
