/* SPDX-License-Identifier: MIT */
/* What a descriptor of a program is. */
#ifndef TRACE_NAMES_H
#define TRACE_NAMES_H

#include "trace/call.h"

/*
 * Names the thread's descriptor: "TCP 127.0.0.1:80→127.0.0.1:5555",
 * "pipe:[123] read", "/dev/null", "signalfd". Not for emulated objects. The
 * name is empty when the descriptor is not open or may not be looked at.
 */
void trace_name_fd(struct trace_fd *fd, struct emu_thread *thread, int number);

/* The same from a descriptor of ours, for what the program has as `number`. */
void trace_name_copy(struct trace_fd *fd, int copy, int number);

/* Names an emulated object, "epoll#1". */
void trace_name_object(
	struct trace_fd *fd, enum emu_kind kind, uint64_t object, int number);

/* The thread's name as of now, "" if it is gone. */
void trace_name_thread(char *name, pid_t tid);

#endif
