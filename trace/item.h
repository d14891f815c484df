/* SPDX-License-Identifier: MIT */
/* What an epoll_ctl() is about. */
#ifndef TRACE_ITEM_H
#define TRACE_ITEM_H

#include "trace/call.h"
#include "trace/known.h"

/* The call was received. */
void trace_item_received(
	struct trace_call *record, const struct emu_call *call);

/* `fd` is what it is about: names it, as far as it has to be now. */
void trace_item_file(
	struct trace_call *record, const struct emu_call *call, int fd);

/* It ended: its name and event, and what is known of the epoll's items now. */
void trace_item_finished(struct trace_known *known, struct trace_call *record,
	const struct emu_call *call);

#endif
