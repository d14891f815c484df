/* SPDX-License-Identifier: MIT */
/*
 * The engine's struct file: what readiness looks like to those who watch it.
 *
 * Whoever embeds a file owns it and says when it goes; items hold no reference
 * (a registration must not keep a pipe open). So a file that goes takes its
 * items with it, wherever they are linked. Every item on `items` has a wait
 * entry on `waitq`; blocked readers and writers have one there and no item.
 */
#include "file.h"

#include "epoll_internal.h"

void emu_file_init(struct emu_file *file, const struct emu_file_ops *ops)
{
	file->ops = ops;
	file->hidden = false;
	emu_waitq_init(&file->waitq);
	emu_list_init(&file->items);
}

int emu_file_wake(struct emu_file *file, uint32_t key)
{
	return emu_waitq_wake(&file->waitq, key, 1);
}

int emu_file_wake_behind(
	struct emu_file *file, const struct emu_epoll *epoll, uint32_t key)
{
	struct emu_list *pos;

	/* Exclusive ones are on the queue in the same order. */
	emu_list_for_each (pos, &file->items) {
		struct emu_item *item =
			emu_container_of(pos, struct emu_item, file_link);

		if (item->epoll == epoll)
			return emu_waitq_wake_behind(
				&file->waitq, &item->wait, key, 1);
	}
	return emu_file_wake(file, key);
}

void emu_file_release(struct emu_file *file)
{
	while (!emu_list_empty(&file->items))
		emu_epoll_del(emu_container_of(
			file->items.next, struct emu_item, file_link));
}
