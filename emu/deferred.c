/* SPDX-License-Identifier: MIT */
/*
 * Calls that can be neither answered nor parked yet, and are looked at again:
 * those of a process whose execve() is under way (exec.c), and returns from a
 * handler whose thread has no stack to show (mend.c).
 */
#include "memory.h"
#include "supervisor.h"

struct deferred {
	struct emu_list link;
	struct emu_call call;
};

static struct deferred *first(struct emu_list *list)
{
	return emu_container_of(list->next, struct deferred, link);
}

static void drop(struct deferred *deferred)
{
	emu_list_remove(&deferred->link);
	emu_free(&emu_memory, deferred, sizeof(*deferred));
}

bool emu_deferred_add(struct emu_list *list, const struct emu_call *call)
{
	struct deferred *deferred = emu_alloc(&emu_memory, sizeof(*deferred));

	if (!deferred)
		return false;
	deferred->call = emu_call_keep(call);
	emu_list_add_tail(&deferred->link, list);
	return true;
}

bool emu_deferred_take(struct emu_list *list, struct emu_call *call)
{
	if (emu_list_empty(list))
		return false;
	*call = first(list)->call;
	drop(first(list));
	return true;
}

void emu_deferred_drop(struct emu_list *list, const struct emu_thread *thread)
{
	struct emu_list *pos;
	struct emu_list *following;

	emu_list_for_each_safe (pos, following, list) {
		struct deferred *deferred =
			emu_container_of(pos, struct deferred, link);

		if (!thread || deferred->call.thread == thread)
			drop(deferred);
	}
}
