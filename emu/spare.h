/* SPDX-License-Identifier: MIT */
/*
 * Watches whose file was removed from its epoll, kept for the next file that
 * is added there. Their handles stay registered in the part of the edges, so
 * what adding takes is one registration in place of two and a new handle.
 */
#ifndef EMU_SPARE_H
#define EMU_SPARE_H

#include <stdbool.h>
#include <stdint.h>

struct emu_edges;
struct emu_watch;

/* So many are kept, whatever they were for. */
#define EMU_SPARES 16

struct emu_spare {
	struct emu_watch *watch;
	uint64_t part; /* the serial of the part that has it */
	uint64_t turn; /* when its file was removed */
};

/* All zero: none. */
struct emu_spares {
	struct emu_spare at[EMU_SPARES]; /* the oldest first */
	int count;
};

/*
 * Keeps a watch that has no item and that nobody can find any more. False:
 * it is of no use, and still the caller's.
 */
bool emu_spare_keep(struct emu_spares *spares, struct emu_watch *watch);

/*
 * A watch on the file in the slot, `fd`, polled for `events`, registered in
 * that part; NULL if none is there that would do. All else is to be set, but
 * for the source.
 */
struct emu_watch *emu_spare_take(struct emu_spares *spares,
	const struct emu_edges *edges, int fd, uint32_t events);

/*
 * Closes all: at the end, and when there are no descriptors left. False: there
 * were none.
 */
bool emu_spares_drop(struct emu_spares *spares);

#endif
