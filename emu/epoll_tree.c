/* SPDX-License-Identifier: MIT */
/*
 * The items of an epoll by (descriptor number, file): a treap, that is a
 * search tree which is a heap by random priorities, so that its depth is
 * O(log n) whatever the order of insertion.
 *
 * A tree rather than a hash since it never grows in one stalling step and
 * needs no memory beyond the items. The number comes first in the key so
 * that the items under one number are neighbours. Nothing here recurses:
 * a kernel's stack is small.
 */
#include "epoll_internal.h"

/* Does (fd, file) come before the key of `item`? */
static bool key_before(
	int fd, const struct emu_file *file, const struct emu_item *item)
{
	if (fd != item->fd)
		return fd < item->fd;
	return (uintptr_t)file < (uintptr_t)item->file;
}

static struct emu_item **side_of(
	const struct emu_item *item, struct emu_item *node)
{
	return key_before(item->fd, item->file, node) ? &node->left
						      : &node->right;
}

/* xorshift32; `seed` is never 0. */
static uint32_t next_priority(struct emu_epoll *epoll)
{
	epoll->seed ^= epoll->seed << 13;
	epoll->seed ^= epoll->seed >> 17;
	epoll->seed ^= epoll->seed << 5;
	return epoll->seed;
}

/* Parts `tree` into what comes before `item` and what comes after. */
static void split(struct emu_item *tree, struct emu_item *item)
{
	struct emu_item **before = &item->left;
	struct emu_item **after = &item->right;

	while (tree) {
		if (key_before(item->fd, item->file, tree)) {
			*after = tree;
			after = &tree->left;
			tree = tree->left;
		} else {
			*before = tree;
			before = &tree->right;
			tree = tree->right;
		}
	}
	*before = NULL;
	*after = NULL;
}

void emu_tree_insert(struct emu_epoll *epoll, struct emu_item *item)
{
	struct emu_item **link = &epoll->tree;

	item->priority = next_priority(epoll);
	while (*link && (*link)->priority >= item->priority)
		link = side_of(item, *link);
	split(*link, item);
	*link = item;
}

void emu_tree_remove(struct emu_epoll *epoll, struct emu_item *item)
{
	struct emu_item **link = &epoll->tree;
	struct emu_item *left = item->left;
	struct emu_item *right = item->right;

	while (*link != item)
		link = side_of(item, *link);
	while (left && right) {
		if (left->priority >= right->priority) {
			*link = left;
			link = &left->right;
			left = left->right;
		} else {
			*link = right;
			link = &right->left;
			right = right->left;
		}
	}
	*link = left ? left : right;
}

/* The first item whose key comes after (fd, file). */
static struct emu_item *first_after(
	struct emu_epoll *epoll, int fd, const struct emu_file *file)
{
	struct emu_item *node = epoll->tree;
	struct emu_item *found = NULL;

	while (node) {
		if (key_before(fd, file, node)) {
			found = node;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

struct emu_item *emu_epoll_find(
	struct emu_epoll *epoll, struct emu_file *file, int fd)
{
	struct emu_item *node = epoll->tree;

	while (node && (node->fd != fd || node->file != file))
		node = key_before(fd, file, node) ? node->left : node->right;
	return node;
}

struct emu_item *emu_epoll_next_fd(
	struct emu_epoll *epoll, int fd, struct emu_item *previous)
{
	/* no file is at NULL, so that key comes before all under this number */
	struct emu_item *item =
		first_after(epoll, fd, previous ? previous->file : NULL);

	return item && item->fd == fd ? item : NULL;
}
