/* SPDX-License-Identifier: MIT */
/* Small files of /proc. */
#ifndef EMU_PROC_H
#define EMU_PROC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reads the file, at most `size` - 1 bytes of it, as a string. Returns its
 * length, or a negative errno; `text` is an empty string then.
 */
ssize_t emu_proc_read(const char *path, char *text, size_t size);

/*
 * The same for a thread's "status", without its line "Groups": that one can be
 * longer than any room, for there may be 65,536 of them, and what follows it is
 * about signals.
 */
ssize_t emu_proc_read_status(const char *path, char *text, size_t size);

/* Is it an error of whoever looks, which tells nothing of the file? */
static inline bool emu_proc_no_room(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM;
}

enum emu_anon {
	EMU_ANON_OTHER,
	EMU_ANON_SIGNALFD,
	EMU_ANON_PIDFD,
	EMU_ANON_PERF,
};

/* What /proc says our descriptor is, for a file that has no type. */
enum emu_anon emu_proc_anon(int fd);

#endif
