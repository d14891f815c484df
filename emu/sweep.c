/* SPDX-License-Identifier: MIT */
/*
 * What has gone without a word.
 *
 * Nobody tells when the last descriptor of a watched file, or of an emulated
 * one, is closed. Nothing that a program can see depends on hearing of it:
 * wherever it would matter (a poll, a harvest, a limit, a reused number) the
 * kernel is asked at that moment. What is left is memory and descriptors of
 * our own, which the sweep gives back. A while after something was made it
 * looks at all there is, in slices, and then waits for the next to be made.
 * When the table of descriptors is full it looks at all at once.
 */
#include "guard.h"
#include "observe.h"
#include "supervisor.h"

#define REST_NS 100000000u /* between two searches */
#define PAUSE_NS 1000000u /* between two slices */
#define IDLE_NS 1000000000u /* between looks for threads that ended */
#define GUARD_NS 1000000000u /* the guard timer runs no longer in vain */
#define SLICE 128

/* A search at once is followed by so many times the time it took. */
#define SHARE 10

static void watch_gone(void *ctx, struct emu_watch *watch)
{
	(void)ctx;
	emu_watch_release(watch);
}

/* An item that was an epoll left. */
static void forget_nested(
	struct emu_intercept *intercept, const struct emu_file *file)
{
	const struct emu_fdtable *table = intercept->fdtable;
	size_t count = emu_fdtable_count(table, EMU_KIND_EPOLL);

	intercept->nested--;
	for (size_t i = 0; i < count; i++) {
		struct emu_object *inner =
			emu_fdtable_at(table, EMU_KIND_EPOLL, i);

		if (emu_epoll_file(inner->epoll) == file)
			inner->outer--;
	}
}

static void drop_item(struct emu_intercept *intercept,
	const struct emu_object *object, struct emu_item *item)
{
	struct emu_item_info info;
	struct emu_watch *watch;

	emu_item_info(item, &info);
	emu_epoll_del(item);
	if (!emu_file_is_watch(info.file)) {
		forget_nested(intercept, info.file);
		return;
	}
	watch = emu_watch_of_file(info.file);
	/* Another epoll's ready set may have it. */
	if (watch->shown == object)
		watch->shown = NULL;
	emu_watch_put(watch);
}

void emu_object_retire(
	struct emu_intercept *intercept, struct emu_object *object)
{
	struct emu_item *item;

	if (object->epoll) {
		while ((item = emu_epoll_next(object->epoll, NULL)))
			drop_item(intercept, object, item);
		intercept->nested -= object->outer;
	}
	if (object->loop)
		emu_loop_remove(intercept->loop, -1, &object->source);
	emu_observe_object_gone(intercept, object);
	emu_fdtable_remove(intercept->fdtable, object);
	emu_placeholder_destroy(object);
}

/* Looks at `budget` objects of a kind, from where the last look ended. */
static void sweep_objects(
	struct emu_intercept *intercept, enum emu_kind kind, size_t budget)
{
	size_t count = emu_fdtable_count(intercept->fdtable, kind);
	size_t at = intercept->sweep.at[kind];

	for (; budget > 0 && count > 0; budget--) {
		struct emu_object *object;

		if (at >= count)
			at = 0;
		object = emu_fdtable_at(intercept->fdtable, kind, at);
		if (object->pins == 0 && emu_weak_gone(&object->weak)) {
			emu_object_retire(intercept, object);
			count--;
		} else {
			at++;
		}
	}
	intercept->sweep.at[kind] = at;
}

static size_t at_most(size_t budget, size_t count)
{
	return budget < count ? budget : count;
}

/* The most that there is of one kind. */
static size_t most(const struct emu_intercept *intercept)
{
	size_t count = intercept->watches.count;

	for (int kind = 0; kind < EMU_KINDS; kind++) {
		size_t objects = emu_fdtable_count(
			intercept->fdtable, (enum emu_kind)kind);

		if (objects > count)
			count = objects;
	}
	return count;
}

/* Looks at `budget` of each kind. */
static void sweep(struct emu_intercept *intercept, size_t budget)
{
	for (int kind = 0; kind < EMU_KINDS; kind++)
		sweep_objects(intercept, (enum emu_kind)kind,
			at_most(budget, emu_fdtable_count(intercept->fdtable,
						(enum emu_kind)kind)));
	emu_watches_sweep(&intercept->watches,
		at_most(budget, intercept->watches.count), watch_gone, NULL);
}

static void arm(struct emu_intercept *intercept, uint64_t after_ns)
{
	emu_deadline_arm(emu_loop_deadlines(intercept->loop),
		&intercept->housekeeping, emu_loop_now_ns() + after_ns);
}

void emu_sweep_settle(struct emu_intercept *intercept)
{
	if (emu_guard_is_armed() && !intercept->housekeeping.armed)
		arm(intercept, GUARD_NS);
}

void emu_sweep_note(struct emu_intercept *intercept)
{
	intercept->sweep.stale = true;
	if (!intercept->housekeeping.armed)
		arm(intercept, REST_NS);
}

void emu_sweep_due(struct emu_intercept *intercept)
{
	struct emu_sweep *state = &intercept->sweep;
	bool untold = emu_threads_sweep(intercept->threads, SLICE);

	emu_guard_disarm();
	if (state->left == 0 && state->stale) {
		state->left = most(intercept);
		state->stale = false;
	}
	if (state->left > 0) {
		sweep(intercept, SLICE);
		state->left -= at_most(SLICE, state->left);
	}
	if (state->left > 0)
		arm(intercept, PAUSE_NS);
	else if (state->stale)
		arm(intercept, REST_NS);
	else if (untold)
		arm(intercept, IDLE_NS);
}

void emu_sweep_all(struct emu_intercept *intercept)
{
	sweep(intercept, most(intercept));
}

bool emu_sweep_make_room(struct emu_intercept *intercept)
{
	struct emu_sweep *state = &intercept->sweep;
	uint64_t begin_ns = emu_loop_now_ns();

	if (emu_spares_drop(&intercept->watches.spares))
		return true;
	if (begin_ns < state->next_whole_ns)
		return false;
	emu_threads_sweep(intercept->threads, 0);
	emu_sweep_all(intercept);
	state->next_whole_ns =
		emu_loop_now_ns() + SHARE * (emu_loop_now_ns() - begin_ns);
	return true;
}

void emu_sweep_nested(struct emu_intercept *intercept)
{
	sweep_objects(intercept, EMU_KIND_EPOLL,
		at_most(64,
			emu_fdtable_count(intercept->fdtable, EMU_KIND_EPOLL)));
}
