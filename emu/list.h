/* SPDX-License-Identifier: MIT */
/*
 * Intrusive doubly linked list, in the manner of the kernel's <linux/list.h>:
 * a head is a link of its own, an unlinked link points to itself.
 */
#ifndef EMU_LIST_H
#define EMU_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct emu_list {
	struct emu_list *next;
	struct emu_list *prev;
};

#define emu_container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define emu_list_for_each(pos, head) \
	for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* Like emu_list_for_each(), but `pos` itself may be unlinked on the way. */
#define emu_list_for_each_safe(pos, following, head)                           \
	for ((pos) = (head)->next, (following) = (pos)->next; (pos) != (head); \
		(pos) = (following), (following) = (pos)->next)

static inline void emu_list_init(struct emu_list *link)
{
	link->next = link;
	link->prev = link;
}

static inline bool emu_list_empty(const struct emu_list *head)
{
	return head->next == head;
}

static inline void emu_list_insert_after(
	struct emu_list *link, struct emu_list *place)
{
	link->prev = place;
	link->next = place->next;
	place->next->prev = link;
	place->next = link;
}

static inline void emu_list_add_head(
	struct emu_list *link, struct emu_list *head)
{
	emu_list_insert_after(link, head);
}

static inline void emu_list_add_tail(
	struct emu_list *link, struct emu_list *head)
{
	emu_list_insert_after(link, head->prev);
}

/* Unlinks; harmless on a link that is on no list. */
static inline void emu_list_remove(struct emu_list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	emu_list_init(link);
}

#endif
