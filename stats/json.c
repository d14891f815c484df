/* SPDX-License-Identifier: MIT */
/*
 * Statistics and living state as JSON: a tree of json-c's is built, printed
 * and dropped.
 *
 * Numbers that may be greater than 2^53 (an item's data) are strings, since
 * many readers of JSON have no others than doubles.
 */
#include "stats/json.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/inspect.h"
#include "stats/records.h"
#include "stats/text.h"

struct builder {
	struct emu_visitor visitor;
	uint64_t now_ns;
	struct json_object *epolls, *eventfds;
	/* Of the object that the walk is at. */
	struct json_object *object, *items, *queued, *waiters;
};

static void put(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_uint64(value));
}

static void put_text(struct json_object *to, const char *key, const char *text)
{
	json_object_object_add(to, key, json_object_new_string(text));
}

static void put_bool(struct json_object *to, const char *key, bool value)
{
	json_object_object_add(to, key, json_object_new_boolean(value));
}

static struct json_object *put_array(struct json_object *to, const char *key)
{
	struct json_object *array = json_object_new_array();

	json_object_object_add(to, key, array);
	return array;
}

static void put_call(
	struct json_object *to, const char *name, const struct stats_call *call)
{
	struct json_object *entry = json_object_new_object();

	put_text(entry, "name", name);
	put(entry, "calls", call->calls);
	put(entry, "errors", call->errors);
	put(entry, "passed", call->passed);
	put(entry, "busy_ns", call->busy_ns);
	put(entry, "asleep_ns", call->asleep_ns);
	json_object_array_add(to, entry);
}

static void put_calls(struct json_object *root, const struct stats_tally *tally)
{
	struct json_object *calls = put_array(root, "calls");

	for (int kind = 0; kind < EMU_CALLS; kind++) {
		const struct stats_call *call = &tally->calls[kind];

		if (call->calls || call->passed)
			put_call(calls, emu_call_name((enum emu_call_kind)kind),
				call);
	}
}

static void put_epoll(struct json_object *to, const struct stats_epoll *epoll)
{
	put(to, "items_most", epoll->items_most);
	put(to, "added", epoll->added);
	put(to, "modified", epoll->modified);
	put(to, "deleted", epoll->deleted);
	put(to, "waits", epoll->waits);
	put(to, "slept", epoll->slept);
	put(to, "events", epoll->events);
	put(to, "delivering", epoll->delivering);
	put(to, "timeouts", epoll->timeouts);
	put(to, "empty", epoll->empty);
	put(to, "interrupted", epoll->interrupted);
	put(to, "wakes", epoll->wakes);
	put(to, "spurious", epoll->spurious);
	put(to, "longest_ready", epoll->longest_ready);
	put(to, "latency_count", epoll->latency.count);
	put(to, "latency_median_ns",
		stats_histogram_percentile(&epoll->latency, 50));
	put(to, "latency_p99_ns",
		stats_histogram_percentile(&epoll->latency, 99));
}

static void put_eventfd(
	struct json_object *to, const struct stats_eventfd *eventfd)
{
	put(to, "writes", eventfd->writes);
	put(to, "reads", eventfd->reads);
	put(to, "coalesced", eventfd->coalesced + eventfd->open);
}

static struct json_object *new_record(const struct stats_object *object)
{
	struct json_object *record = json_object_new_object();

	put(record, "number", object->number);
	put_bool(record, "gone", object->gone);
	return record;
}

/* The sum of `count` objects. */
static struct json_object *put_rest(
	struct json_object *root, const char *key, uint64_t count)
{
	struct json_object *rest = json_object_new_object();

	put(rest, "count", count);
	json_object_object_add(root, key, rest);
	return rest;
}

static void put_epolls(
	struct json_object *root, const struct stats_tally *tally)
{
	size_t count, shown;
	struct stats_object **sorted =
		stats_records_sorted(&tally->epolls, &count, &shown);
	struct json_object *array = put_array(root, "epolls");
	struct stats_epoll rest = tally->other_epolls;

	for (size_t i = 0; i < count; i++) {
		const struct stats_epoll *epoll =
			emu_container_of(sorted[i], struct stats_epoll, object);
		struct json_object *record;

		if (i >= shown) {
			stats_epoll_merge(&rest, epoll);
			continue;
		}
		record = new_record(sorted[i]);
		put_epoll(record, epoll);
		json_object_array_add(array, record);
	}
	if (tally->epolls.made > shown)
		put_epoll(put_rest(root, "other_epolls",
				  tally->epolls.made - shown),
			&rest);
	free(sorted);
}

static void put_eventfds(
	struct json_object *root, const struct stats_tally *tally)
{
	size_t count, shown;
	struct stats_object **sorted =
		stats_records_sorted(&tally->eventfds, &count, &shown);
	struct json_object *array = put_array(root, "eventfds");
	struct stats_eventfd rest = tally->other_eventfds;

	for (size_t i = 0; i < count; i++) {
		const struct stats_eventfd *eventfd = emu_container_of(
			sorted[i], struct stats_eventfd, object);
		struct json_object *record;

		if (i >= shown) {
			stats_eventfd_merge(&rest, eventfd);
			continue;
		}
		record = new_record(sorted[i]);
		put_eventfd(record, eventfd);
		json_object_array_add(array, record);
	}
	if (tally->eventfds.made > shown)
		put_eventfd(put_rest(root, "other_eventfds",
				    tally->eventfds.made - shown),
			&rest);
	free(sorted);
}

static struct builder *builder_of(struct emu_visitor *visitor)
{
	return emu_container_of(visitor, struct builder, visitor);
}

static void at_epoll(
	struct emu_visitor *visitor, const struct emu_view_epoll *epoll)
{
	struct builder *builder = builder_of(visitor);

	builder->object = json_object_new_object();
	put(builder->object, "number", epoll->number);
	builder->items = put_array(builder->object, "items");
	builder->queued = put_array(builder->object, "ready_list");
	builder->waiters = put_array(builder->object, "waiters");
	json_object_array_add(builder->epolls, builder->object);
}

static void at_item(
	struct emu_visitor *visitor, const struct emu_view_item *item)
{
	struct json_object *entry = json_object_new_object();
	char text[STATS_MASK_TEXT];

	put(entry, "fd", (uint64_t)item->fd);
	put_text(entry, "file", item->name);
	put_text(entry, "events", stats_mask_text(text, item->events));
	put_text(entry, "ready",
		item->ready ? stats_mask_text(text, item->ready) : "");
	snprintf(text, sizeof(text), "%#" PRIx64, item->data);
	put_text(entry, "data", text);
	put_bool(entry, "queued", item->queued);
	put_bool(entry, "disabled", item->disabled);
	json_object_array_add(builder_of(visitor)->items, entry);
}

static void at_omitted(struct emu_visitor *visitor, size_t items)
{
	put(builder_of(visitor)->object, "items_omitted", items);
}

static void at_queued(struct emu_visitor *visitor, int fd)
{
	json_object_array_add(
		builder_of(visitor)->queued, json_object_new_int(fd));
}

static void at_waiter(
	struct emu_visitor *visitor, const struct emu_view_waiter *waiter)
{
	struct builder *builder = builder_of(visitor);
	struct json_object *entry = json_object_new_object();

	put(entry, "tid", (uint64_t)waiter->tid);
	put(entry, "process", (uint64_t)waiter->process);
	put_text(entry, "comm", waiter->comm);
	put_text(entry, "call", waiter->call);
	put(entry, "asleep_ns", builder->now_ns - waiter->since_ns);
	if (waiter->at_ns != EMU_DEADLINE_NEVER)
		put(entry, "remaining_ns",
			waiter->at_ns > builder->now_ns
				? waiter->at_ns - builder->now_ns
				: 0);
	json_object_array_add(builder->waiters, entry);
}

static void at_eventfd(
	struct emu_visitor *visitor, const struct emu_view_eventfd *eventfd)
{
	struct builder *builder = builder_of(visitor);

	builder->object = json_object_new_object();
	put(builder->object, "number", eventfd->number);
	put_bool(builder->object, "semaphore", eventfd->semaphore);
	put_bool(builder->object, "above_zero", eventfd->above_zero);
	put_bool(builder->object, "full", eventfd->full);
	builder->waiters = put_array(builder->object, "waiters");
	json_object_array_add(builder->eventfds, builder->object);
}

static void put_state(struct json_object *root, struct emu_intercept *intercept)
{
	struct json_object *state = json_object_new_object();
	struct builder builder = {
		.visitor =
			{
				.epoll = at_epoll,
				.item = at_item,
				.omitted = at_omitted,
				.queued = at_queued,
				.epoll_waiter = at_waiter,
				.eventfd = at_eventfd,
				.eventfd_waiter = at_waiter,
			},
		.now_ns = emu_loop_now_ns(),
		.epolls = put_array(state, "epolls"),
		.eventfds = put_array(state, "eventfds"),
	};

	emu_inspect(intercept, &builder.visitor, STATS_MOST_ITEMS);
	json_object_object_add(root, "state", state);
}

/* The text with a line feed, for the caller to free. */
static char *as_line(struct json_object *root)
{
	const char *text =
		json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN);
	size_t size = text ? strlen(text) : 0;
	char *line = text ? malloc(size + 2) : NULL;

	if (line) {
		memcpy(line, text, size);
		memcpy(line + size, "\n", 2);
	}
	return line;
}

char *stats_json(const struct stats_tally *tally,
	struct emu_intercept *intercept, bool state)
{
	struct json_object *root = json_object_new_object();
	char *line;

	put_text(root, "schema", "epemu-stats-1");
	put_text(root, "kind", state ? "snapshot" : "exit");
	put(root, "elapsed_ns", emu_loop_now_ns() - tally->since_ns);
	put_bool(root, "complete", !tally->incomplete);
	put_calls(root, tally);
	put_epolls(root, tally);
	put_eventfds(root, tally);
	if (state)
		put_state(root, intercept);
	line = as_line(root);
	json_object_put(root);
	return line;
}
