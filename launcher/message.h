/* SPDX-License-Identifier: MIT */
/* epemu's own messages to the user. */
#ifndef EMU_MESSAGE_H
#define EMU_MESSAGE_H

#include "emu/log.h"
#include "emu/outlet.h"

/* Writes "epemu: TEXT" and a newline as one record. */
void emu_message_put(struct emu_outlet *outlet, const char *text);

/*
 * The same straight to the outlet's descriptor, waiting for room a second at
 * most: before anything else is written, or when nothing else will be. Safe
 * in a signal handler.
 */
void emu_message_write(const struct emu_outlet *outlet, const char *text);

/* Says how many messages were dropped, and finishes the outlet. */
void emu_message_finish(struct emu_outlet *outlet);

/* A log that writes straight to `outlet`, which must outlive it. */
struct emu_log emu_message_log(const struct emu_outlet *outlet);

#endif
