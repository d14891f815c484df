/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor says of the living state: statistics, snapshots, dumps,
 * stalls.
 */
#ifndef EMU_MONITOR_H
#define EMU_MONITOR_H

#include "emu/loop.h"
#include "launcher/control.h"
#include "launcher/launch.h"

struct emu_monitor;

/*
 * Starts what was asked for, before the first call is answered, and listens
 * for --dump. What cannot be had is logged and left out; NULL when there is
 * no memory at all. `control` may be NULL. `program` is the program's process,
 * which has not run yet.
 */
struct emu_monitor *emu_monitor_create(struct emu_loop *loop,
	struct emu_intercept *intercept, struct emu_launch *launch,
	const struct emu_log *log, struct emu_control *control, pid_t program);

/* Somebody asked for a snapshot. NULL is ignored. */
void emu_monitor_snapshot(struct emu_monitor *monitor);

/*
 * The program has ended: prints the counts of its calls (--verbose) and its
 * statistics. NULL is ignored.
 */
void emu_monitor_ended(struct emu_monitor *monitor);

/* Stops everything, before the interception is destroyed. NULL is ignored. */
void emu_monitor_stop(struct emu_monitor *monitor);

/* Frees all, after the interception was destroyed. NULL is ignored. */
void emu_monitor_destroy(struct emu_monitor *monitor);

#endif
