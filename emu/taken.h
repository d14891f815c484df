/* SPDX-License-Identifier: MIT */
/*
 * Files whose poll takes away what they report.
 */
#ifndef EMU_TAKEN_H
#define EMU_TAKEN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct emu_watch;
struct emu_watches;

/*
 * The poll bits that a poll of the file behind our descriptor `fd` takes away,
 * so that the next one does not have them; 0 for an ordinary file. `mode`: its
 * st_mode; `perf`: it is a perf event.
 */
uint32_t emu_taken_by_poll(int fd, mode_t mode, bool perf);

/*
 * A new watch on such a file, which is behind our descriptor `fd`: what one of
 * the file's watches sees by a poll, all of them have seen.
 */
void emu_taken_join(struct emu_watches *set, struct emu_watch *watch, int fd);

/* Polls the file; what that took is kept in `remembered`. */
uint32_t emu_taken_poll(struct emu_watch *watch);

/* The loop was told of the file, and has polled it for that. */
void emu_taken_by_loop(struct emu_watch *watch);

/*
 * What was remembered is reported now, to whoever polled first: returns it
 * together with `bits`, what a poll says now.
 */
uint32_t emu_taken_report(struct emu_watch *watch, uint32_t bits);

/* `bits` were reported, but did not reach the program. */
void emu_taken_restore(struct emu_watch *watch, uint32_t bits);

#endif
