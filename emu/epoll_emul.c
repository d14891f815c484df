/* SPDX-License-Identifier: MIT */
/*
 * epoll instances and their items: what epoll_create() and epoll_ctl() do.
 * What happens to an item once it is registered (wakes, harvests, waiters) is
 * in epoll_ready.c; the rules of epolls within epolls are in epoll_nest.c.
 *
 * An instance lives from emu_epoll_create() to emu_epoll_destroy(), an item
 * from emu_epoll_add() to the first of: emu_epoll_del(), the end of its epoll,
 * the end of its file. An item counts against its user all that time.
 *
 * The engine has no locks: a caller that runs on more than one CPU holds one
 * lock over all instances, since a wake or a poll goes through nested ones.
 */
#include "epoll_emul.h"

#include <errno.h>

#include "epoll_internal.h"

/* EPOLLEXCLUSIVE_OK_BITS */
#define EXCLUSIVE_COMPANIONS                                        \
	(EMU_EPOLLIN | EMU_EPOLLOUT | EMU_EPOLLERR | EMU_EPOLLHUP | \
		EMU_EPOLLWAKEUP | EMU_EPOLLET | EMU_EPOLLEXCLUSIVE)

/* The bits that every item asks for, wanted or not. */
#define ALWAYS (EMU_EPOLLERR | EMU_EPOLLHUP)

_Static_assert(sizeof(struct emu_item) <= 200, "items have grown too big");

struct emu_epoll *emu_epoll_create(
	const struct emu_alloc *alloc, struct emu_epoll_user *user)
{
	struct emu_epoll *epoll = emu_alloc(alloc, sizeof(*epoll));

	if (!epoll)
		return NULL;
	emu_file_init(&epoll->file, &emu_epoll_file_ops);
	emu_waitq_init(&epoll->waiters);
	emu_list_init(&epoll->ready);
	emu_list_init(&epoll->items);
	epoll->tree = NULL;
	epoll->seed = 0x9e3779b9;
	epoll->harvested = 0;
	epoll->alloc = alloc;
	epoll->user = user;
	return epoll;
}

void emu_epoll_destroy(struct emu_epoll *epoll)
{
	if (!epoll)
		return;
	emu_file_release(&epoll->file);
	while (!emu_list_empty(&epoll->items))
		emu_epoll_del(emu_epoll_next(epoll, NULL));
	emu_free(epoll->alloc, epoll, sizeof(*epoll));
}

struct emu_file *emu_epoll_file(struct emu_epoll *epoll)
{
	return &epoll->file;
}

struct emu_epoll *emu_epoll_of_file(struct emu_file *file)
{
	if (!file || file->ops != &emu_epoll_file_ops)
		return NULL;
	return emu_container_of(file, struct emu_epoll, file);
}

int emu_epoll_check(
	struct emu_epoll *epoll, int op, struct emu_file *file, uint32_t events)
{
	if (file == &epoll->file)
		return -EINVAL;
	if (op == EMU_EPOLL_CTL_DEL)
		return 0;
	if (op != EMU_EPOLL_CTL_ADD && op != EMU_EPOLL_CTL_MOD)
		return -EINVAL;
	if (!(events & EMU_EPOLLEXCLUSIVE))
		return 0;
	if (op == EMU_EPOLL_CTL_MOD || emu_epoll_of_file(file) ||
		(events & ~EXCLUSIVE_COMPANIONS))
		return -EINVAL;
	return 0;
}

long emu_epoll_items(const struct emu_epoll *epoll)
{
	return epoll->item_count;
}

struct emu_item *emu_epoll_next(
	struct emu_epoll *epoll, struct emu_item *previous)
{
	struct emu_list *next =
		previous ? previous->age.next : epoll->items.next;

	if (next == &epoll->items)
		return NULL;
	return emu_container_of(next, struct emu_item, age);
}

/* Allocates an item and links it wherever it is found, not yet to wakes. */
static int item_create(struct emu_epoll *epoll, struct emu_file *file, int fd,
	const struct emu_event *event, struct emu_item **created)
{
	struct emu_item *item;

	if (epoll->user->watches >= epoll->user->max_watches)
		return -ENOSPC;
	item = emu_alloc(epoll->alloc, sizeof(*item));
	if (!item)
		return -ENOMEM;
	epoll->user->watches++;

	emu_wait_init(&item->wait, emu_item_woken);
	emu_list_init(&item->ready);
	item->epoll = epoll;
	item->file = file;
	item->fd = fd;
	item->events = event->events | ALWAYS;
	item->data = event->data;
	emu_list_add_tail(&item->age, &epoll->items);
	epoll->item_count++;
	emu_list_add_tail(&item->file_link, &file->items);
	emu_tree_insert(epoll, item);
	*created = item;
	return 0;
}

/* Asks for wakes first and polls after, so that no wake falls between. */
static void item_arm(struct emu_item *item)
{
	if (item->events & EMU_EPOLLEXCLUSIVE)
		emu_waitq_add_exclusive(&item->file->waitq, &item->wait);
	else
		emu_waitq_add(&item->file->waitq, &item->wait);
	if (emu_item_poll(item))
		emu_item_queue_ready(item);
}

int emu_epoll_add(struct emu_epoll *epoll, struct emu_file *file, int fd,
	const struct emu_event *event, struct emu_item **item)
{
	struct emu_item *created;
	int error;

	error = emu_epoll_check(epoll, EMU_EPOLL_CTL_ADD, file, event->events);
	if (error)
		return error;
	error = emu_nest_check_chain(epoll, file);
	if (error)
		return error;
	if (emu_epoll_find(epoll, file, fd))
		return -EEXIST;
	error = item_create(epoll, file, fd, event, &created);
	if (error)
		return error;
	error = emu_nest_check_paths(created);
	if (error) {
		emu_epoll_del(created);
		return error;
	}
	item_arm(created);
	if (item)
		*item = created;
	return 0;
}

int emu_epoll_mod(struct emu_item *item, const struct emu_event *event)
{
	if ((item->events | event->events) & EMU_EPOLLEXCLUSIVE)
		return -EINVAL;
	item->events = event->events | ALWAYS;
	item->data = event->data;
	emu_item_recount(item);
	if (emu_item_poll(item))
		emu_item_queue_ready(item);
	return 0;
}

void emu_epoll_del(struct emu_item *item)
{
	struct emu_epoll *epoll = item->epoll;

	emu_waitq_remove(&item->wait);
	emu_item_dequeue(item);
	emu_list_remove(&item->age);
	item->epoll->item_count--;
	emu_list_remove(&item->file_link);
	emu_tree_remove(epoll, item);
	epoll->user->watches--;
	emu_free(epoll->alloc, item, sizeof(*item));
}

struct emu_epoll *emu_item_epoll(const struct emu_item *item)
{
	return item->epoll;
}

void emu_item_info(const struct emu_item *item, struct emu_item_info *info)
{
	info->file = item->file;
	info->fd = item->fd;
	info->events = item->events;
	info->data = item->data;
	info->queued = !emu_list_empty(&item->ready);
}
