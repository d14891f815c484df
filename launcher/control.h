/* SPDX-License-Identifier: MIT */
/* What the supervisor tells the launcher process, over a socket. */
#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include <stdint.h>

#include "emu/log.h"
#include "emu/loop.h"

enum emu_message_kind {
	EMU_MESSAGE_LINE, /* text: print it */
	EMU_MESSAGE_RAW, /* a piece of text: print it as it is; value: whether
			    it is the last piece */
	/* value: its pid, or 0 for none; text: of emu_canary_missed() */
	EMU_MESSAGE_CANARY,
	EMU_MESSAGE_STARTED, /* value: the program's pid; its pidfd comes as
				the next message */
	EMU_MESSAGE_STOPPED, /* value: by which signal */
	EMU_MESSAGE_STOP, /* value: by which signal to stop now */
	EMU_MESSAGE_ENDED, /* value: the program's wait status */
	EMU_MESSAGE_ENDED_ALL, /* the same, and no descendant is left */
};

enum { EMU_MESSAGE_TEXT = 512 };

struct emu_message {
	uint32_t kind; /* enum emu_message_kind */
	int32_t value;
	char text[EMU_MESSAGE_TEXT + 1];
};

/* What the launcher answers; see mirror.c. */
enum emu_reply {
	EMU_REPLY_MAY_STOP = 's', /* it asks whether to stop itself */
	EMU_REPLY_RUNS = 'r', /* it does not, or no more */
	EMU_REPLY_SNAPSHOT = 'd', /* somebody asks for a snapshot */
	EMU_REPLY_ENDS = 'e', /* it knows that the program has ended */
};

/*
 * The launcher's side: takes the next message. Returns 1, 0 when there is
 * none at the moment, or -EPIPE when the supervisor's end is closed and all
 * messages were taken.
 */
int emu_control_receive(int fd, struct emu_message *message);

/* The launcher's side: never blocks. */
void emu_control_reply(int fd, enum emu_reply reply);

/*
 * The supervisor's side. Never blocks: what the socket does not take now (the
 * launcher may be stopped) is kept and sent later. `gone` is called from the
 * loop when the launcher's end is closed; all sending is then a no-op.
 * `replied` is called for each reply.
 */
struct emu_control;

struct emu_control *emu_control_create(struct emu_loop *loop, int fd,
	void (*replied)(void *ctx, enum emu_reply reply),
	void (*gone)(void *ctx), void *ctx);

void emu_control_send(struct emu_control *control, enum emu_message_kind kind,
	int value, const char *text);

/*
 * Text to be printed as it is, of any length: all of it, or nothing when too
 * much is kept already.
 */
void emu_control_send_raw(struct emu_control *control, const char *text);

/* Sends what is kept, however long that takes, then frees everything. */
void emu_control_destroy(struct emu_control *control);

/* A line straight to the socket or not at all. Safe in a signal handler. */
void emu_control_send_now(int fd, const char *text);

#endif
