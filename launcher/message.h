/* SPDX-License-Identifier: MIT */
/* epemu's own messages to the user. */
#ifndef EMU_MESSAGE_H
#define EMU_MESSAGE_H

#include <stddef.h>

#include "emu/log.h"

/*
 * Writes "epemu: TEXT" and a newline to `fd` with one write(2); nothing
 * happens for a negative `fd`. Safe in a signal handler.
 */
void emu_message_write(int fd, const char *text);

/* Writes all bytes as they are, as far as `fd` takes them. */
void emu_message_write_raw(int fd, const char *bytes, size_t size);

/* Opens `path` for messages, emptied. Returns the fd or a negative errno. */
int emu_message_open(const char *path);

/*
 * The log of the launcher process: to `*fd`, which must outlive the log. A
 * copy of standard error, say.
 */
struct emu_log emu_message_log(int *fd);

#endif
