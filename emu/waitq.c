/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: lists of callbacks in the kernel's own order (kernel/sched/
 * wait.c, 6.18).
 *
 * An entry belongs to whoever embeds it; the queue owns nothing. An entry is
 * on one queue at most, and an entry on none links to itself, which makes
 * leaving twice harmless. Non-exclusive entries are told about every wake,
 * so the order in the queue matters only among those that share an event:
 * items and blocked callers at one file, sleepers at one epoll.
 */
#include "waitq.h"

void emu_waitq_init(struct emu_waitq *queue)
{
	emu_list_init(&queue->entries);
}

void emu_wait_init(
	struct emu_wait *wait, int (*wake)(struct emu_wait *wait, uint32_t key))
{
	emu_list_init(&wait->link);
	wait->exclusive = false;
	wait->wake = wake;
}

void emu_waitq_add(struct emu_waitq *queue, struct emu_wait *wait)
{
	wait->exclusive = false;
	emu_list_add_head(&wait->link, &queue->entries);
}

void emu_waitq_add_tail(struct emu_waitq *queue, struct emu_wait *wait)
{
	wait->exclusive = false;
	emu_list_add_tail(&wait->link, &queue->entries);
}

void emu_waitq_add_exclusive(struct emu_waitq *queue, struct emu_wait *wait)
{
	wait->exclusive = true;
	emu_list_add_tail(&wait->link, &queue->entries);
}

void emu_waitq_add_exclusive_head(
	struct emu_waitq *queue, struct emu_wait *wait)
{
	wait->exclusive = true;
	emu_list_add_head(&wait->link, &queue->entries);
}

void emu_waitq_remove(struct emu_wait *wait)
{
	emu_list_remove(&wait->link);
}

bool emu_waitq_active(const struct emu_waitq *queue)
{
	return !emu_list_empty(&queue->entries);
}

/* The entries from `link` on. */
static int wake_from(struct emu_waitq *queue, struct emu_list *link,
	uint32_t key, int nr_exclusive)
{
	struct emu_list *following;
	int news = 0;

	for (; link != &queue->entries; link = following) {
		struct emu_wait *wait =
			emu_container_of(link, struct emu_wait, link);
		/* the callback may remove, even free, the entry */
		bool exclusive = wait->exclusive;
		int result;

		following = link->next;
		result = wait->wake(wait, key);
		if (result)
			news++;
		if (result > 0 && exclusive && --nr_exclusive == 0)
			break;
	}
	return news;
}

int emu_waitq_wake(struct emu_waitq *queue, uint32_t key, int nr_exclusive)
{
	return wake_from(queue, queue->entries.next, key, nr_exclusive);
}

int emu_waitq_wake_behind(struct emu_waitq *queue, struct emu_wait *wait,
	uint32_t key, int nr_exclusive)
{
	return wake_from(queue, wait->link.next, key, nr_exclusive);
}
