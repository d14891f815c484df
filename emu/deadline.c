/* SPDX-License-Identifier: MIT */
/*
 * Deadlines in a pairing heap: a tree in which no child is earlier than its
 * parent. Children are a list by `sibling`; `prev` points to the left sibling,
 * or to the parent for the first child, so that any node can be cut out.
 *
 * Deadlines belong to whoever embeds them; the heap owns nothing. A deadline
 * that is not armed is on no heap and its links mean nothing. Nothing here
 * recurses, however lopsided the tree.
 */
#include "deadline.h"

#include <stddef.h>

void emu_deadlines_init(struct emu_deadlines *heap)
{
	heap->root = NULL;
}

void emu_deadline_init(struct emu_deadline *deadline)
{
	*deadline = (struct emu_deadline){.at_ns = EMU_DEADLINE_NEVER};
}

/* Joins two trees; `a` stays above when both are due at one time. */
static struct emu_deadline *meld(struct emu_deadline *a, struct emu_deadline *b)
{
	if (!a || !b)
		return a ? a : b;
	if (b->at_ns < a->at_ns) {
		struct emu_deadline *earlier = b;

		b = a;
		a = earlier;
	}
	b->sibling = a->child;
	if (a->child)
		a->child->prev = b;
	b->prev = a;
	a->child = b;
	return a;
}

/*
 * Makes one tree of a list of siblings: two and two from the left, then all
 * those from the right. This is what makes removal O(log n) in the long run.
 */
static struct emu_deadline *meld_siblings(struct emu_deadline *first)
{
	struct emu_deadline *pairs = NULL;
	struct emu_deadline *tree = NULL;

	while (first) {
		struct emu_deadline *second = first->sibling;
		struct emu_deadline *rest = second ? second->sibling : NULL;
		struct emu_deadline *pair = meld(first, second);

		pair->sibling = pairs;
		pairs = pair;
		first = rest;
	}
	while (pairs) {
		struct emu_deadline *rest = pairs->sibling;

		tree = meld(pairs, tree);
		pairs = rest;
	}
	return tree;
}

/* Takes a node that is not the root out of its list of siblings. */
static void cut(struct emu_deadline *deadline)
{
	if (deadline->prev->child == deadline)
		deadline->prev->child = deadline->sibling;
	else
		deadline->prev->sibling = deadline->sibling;
	if (deadline->sibling)
		deadline->sibling->prev = deadline->prev;
}

static void set_root(struct emu_deadlines *heap, struct emu_deadline *root)
{
	heap->root = root;
	if (root) {
		root->prev = NULL;
		root->sibling = NULL;
	}
}

void emu_deadline_disarm(
	struct emu_deadlines *heap, struct emu_deadline *deadline)
{
	struct emu_deadline *children;

	if (!deadline->armed)
		return;
	children = meld_siblings(deadline->child);
	if (heap->root == deadline) {
		set_root(heap, children);
	} else {
		cut(deadline);
		set_root(heap, meld(heap->root, children));
	}
	emu_deadline_init(deadline);
}

void emu_deadline_arm(struct emu_deadlines *heap, struct emu_deadline *deadline,
	uint64_t at_ns)
{
	emu_deadline_disarm(heap, deadline);
	if (at_ns == EMU_DEADLINE_NEVER)
		return;
	deadline->at_ns = at_ns;
	deadline->armed = true;
	set_root(heap, meld(heap->root, deadline));
}

uint64_t emu_deadlines_next(const struct emu_deadlines *heap)
{
	return heap->root ? heap->root->at_ns : EMU_DEADLINE_NEVER;
}

struct emu_deadline *emu_deadlines_expired(
	struct emu_deadlines *heap, uint64_t now_ns)
{
	struct emu_deadline *earliest = heap->root;

	if (!earliest || earliest->at_ns > now_ns)
		return NULL;
	emu_deadline_disarm(heap, earliest);
	return earliest;
}
