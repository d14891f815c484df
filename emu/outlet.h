/* SPDX-License-Identifier: MIT */
/* An output that may not take what it is given, and is never waited for. */
#ifndef EMU_OUTLET_H
#define EMU_OUTLET_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "list.h"
#include "log.h"
#include "loop.h"

enum emu_outlet_way {
	EMU_OUTLET_WRITE, /* write(2) does not wait, or it is a file */
	EMU_OUTLET_SOCKET, /* shared with others */
	EMU_OUTLET_PIPE, /* likewise */
	EMU_OUTLET_TERMINAL, /* likewise */
};

struct emu_outlet {
	int fd; /* -1: nothing is written any more */
	enum emu_outlet_way way;
	const char *what; /* for the messages: "trace" */
	const char *path;
	const struct emu_log *log; /* NULL: nobody is told of a failure */
	struct emu_loop *loop; /* NULL: the owner calls emu_outlet_flush() */
	struct emu_source source;
	struct emu_list queue; /* what waits, oldest first */
	size_t queued; /* the bytes of it */
	uint64_t lost; /* records that were dropped */
	bool taken; /* the record that was put last */
	bool watched; /* by the loop */
};

/* No output: what is put is forgotten. */
void emu_outlet_init(struct emu_outlet *outlet);

/*
 * Opens `path` for writing, emptied; what it was open on before is closed. Who
 * opens a FIFO sleeps until it has a reader; meanwhile the signal mask is
 * `mask`. Returns 0 or what emu_safe_open() does.
 */
int emu_outlet_open(struct emu_outlet *outlet, const char *what,
	const char *path, const sigset_t *mask);

/*
 * Has it write to what `fd` is open on. `fd` stays the caller's, and so does
 * O_NONBLOCK of its open file description, which others may share. Returns 0
 * or a negative errno.
 */
int emu_outlet_share(struct emu_outlet *outlet, const char *what, int fd);

/* From now on `loop` calls emu_outlet_flush(), and `log` has its failures. */
void emu_outlet_attach(struct emu_outlet *outlet, struct emu_loop *loop,
	const struct emu_log *log);

/*
 * Writes a record, or keeps it until the reader takes it. If too much is kept
 * already it is dropped as a whole and counted; false then. A failure (a full
 * disk, a reader that has gone) is logged, once; with a log it ends the output.
 */
bool emu_outlet_put(struct emu_outlet *outlet, const char *bytes, size_t size);

/* More of the record that was put last: shares its fate. */
void emu_outlet_add(struct emu_outlet *outlet, const char *bytes, size_t size);

/* A record that is not dropped, however much is kept: one of the last. */
void emu_outlet_put_last(
	struct emu_outlet *outlet, const char *bytes, size_t size);

/* Such a record that says "# 12 records lost", if there are any. */
void emu_outlet_put_lost(struct emu_outlet *outlet);

/* Writes what is kept, as far as it is taken at once. */
void emu_outlet_flush(struct emu_outlet *outlet);

/* Whether something is kept. */
bool emu_outlet_waits(const struct emu_outlet *outlet);

/*
 * Waits for the reader to take what is kept, for a second in which it takes
 * nothing and ten in all. What it has not taken then is dropped, and how much
 * was dropped in the outlet's life is logged.
 */
void emu_outlet_finish(struct emu_outlet *outlet);

/* Drops all and closes it, without a word. */
void emu_outlet_close(struct emu_outlet *outlet);

#endif
