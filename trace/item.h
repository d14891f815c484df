/* SPDX-License-Identifier: MIT */
/* What an epoll_ctl() is about, and the events of a wait. */
#ifndef TRACE_ITEM_H
#define TRACE_ITEM_H

#include "trace/call.h"
#include "trace/known.h"

/* `fd` is what it is about: names it, as far as it has to be now. */
void trace_item_file(
	struct trace_call *record, const struct emu_call *call, int fd);

/* It ended: its name and event, and what is known of the epoll's items now. */
void trace_item_finished(struct trace_known *known, struct trace_call *record,
	const struct emu_call *call);

/* A wait returned `event`, which is `item`'s; NULL if that is not known. */
void trace_item_event(const struct trace_known *known, struct trace_event *to,
	const struct emu_epoll *epoll, const struct emu_event *event,
	const struct emu_item *item);

#endif
