/* SPDX-License-Identifier: MIT */
/*
 * The descriptor in an epoll_ctl(), the item that comes of it, and the events
 * that come of the item.
 *
 * To name a descriptor takes several system calls. A change that succeeded is
 * about an item of the epoll, by the kernel's word the very file, and the
 * item has a name since it was added. So only an addition is named, by the
 * descriptor of it that the call has fetched anyway; and what failed.
 */
#include "trace/item.h"

#include "emu/poll_bits.h"
#include "trace/names.h"

static bool changes_item(const struct emu_call *call)
{
	int op = emu_call_int(call, 1);

	return op == EMU_EPOLL_CTL_MOD || op == EMU_EPOLL_CTL_DEL;
}

void trace_item_file(
	struct trace_call *record, const struct emu_call *call, int fd)
{
	if (!changes_item(call))
		trace_name_copy(&record->item, fd, record->item.number);
}

static void name_changed(const struct trace_known *known,
	struct trace_call *record, const struct emu_call *call)
{
	const struct trace_fd *item = NULL;

	if (call->object && record->result == 0)
		item = trace_known_item(
			known, call->object->epoll, record->item.number);
	if (item)
		trace_fd_copy(&record->item, item);
	else
		trace_name_fd(&record->item, call->thread, record->item.number);
}

void trace_item_finished(struct trace_known *known, struct trace_call *record,
	const struct emu_call *call)
{
	if (changes_item(call))
		name_changed(known, record, call);
	else if (!call->item && record->item.kind == TRACE_FD_UNKNOWN)
		trace_name_fd(&record->item, call->thread, record->item.number);
	if (call->item)
		trace_name_object(&record->item, call->item->kind,
			call->item->number, record->item.number);
	record->event = call->event;
	record->has_event = emu_call_int(call, 1) != EMU_EPOLL_CTL_DEL;
	if (call->object && record->result == 0)
		trace_known_set_item(known, call->object->epoll, &record->item,
			!record->has_event);
}

void trace_item_event(const struct trace_known *known, struct trace_event *to,
	const struct emu_epoll *epoll, const struct emu_event *event,
	const struct emu_item *item)
{
	struct emu_item_info info = {.fd = -1};
	const struct trace_fd *fd;

	if (item)
		emu_item_info(item, &info);
	fd = trace_known_item(known, epoll, info.fd);
	to->events = event->events;
	to->data = event->data;
	if (fd)
		trace_fd_copy(&to->fd, fd);
	else
		to->fd = (struct trace_fd){.number = info.fd};
}
