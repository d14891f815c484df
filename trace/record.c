/* SPDX-License-Identifier: MIT */
/*
 * The sequence of a run's calls, without what differs from run to run:
 *
 *     brush#1 epoll_ctl(epoll#1, EPOLL_CTL_ADD, pidfd#1, EPOLLIN|EPOLLET) = 0
 *     tokio-rt-worker#1 epoll_wait(epoll#1, 1024, -1) = [EPOLLIN pidfd#1]
 *
 * A thread is its name and which of that name it was to make its first call.
 * An item is its kind and which of that kind was registered, so a number that
 * is used anew is a new name. Numbers of processes and descriptors,
 * addresses, the data of events, lengths of timeouts and counts that are read
 * are left out.
 */
#include "trace/record.h"

#include <stdlib.h>
#include <string.h>

#include "emu/table.h"
#include "trace/decode.h"

#define LINE (TRACE_EVENTS * 256 + 1024)

/* How many of a name there are. */
struct ordinal {
	struct ordinal *next;
	unsigned int count;
	char name[];
};

struct record_sink {
	struct trace_sink sink;
	struct emu_outlet *out;
	struct ordinal *ordinals;
	struct emu_table threads; /* names by thread id */
	struct emu_table items; /* names by epoll and descriptor */
	char line[LINE];
};

/* "name#2" for the second of that name, in memory of its own. */
static char *number(struct record_sink *sink, const char *name)
{
	struct ordinal *ordinal = sink->ordinals;
	size_t size = strlen(name) + 16;
	char *text = malloc(size);

	while (ordinal && strcmp(ordinal->name, name) != 0)
		ordinal = ordinal->next;
	if (!ordinal) {
		ordinal = calloc(1, sizeof(*ordinal) + size);
		if (ordinal) {
			memcpy(ordinal->name, name, strlen(name) + 1);
			ordinal->next = sink->ordinals;
			sink->ordinals = ordinal;
		}
	}
	if (ordinal && text)
		snprintf(text, size, "%s#%u", name, ++ordinal->count);
	else if (text)
		snprintf(text, size, "%s", name);
	return text;
}

/* What a thread is called changes with exec; which of them it is does too. */
static const char *thread_name(
	struct record_sink *sink, const struct trace_call *call)
{
	uint64_t key = (uint64_t)call->tid;
	char name[TRACE_COMM];
	char *known = emu_table_get(&sink->threads, key);
	size_t length = strlen(call->thread);

	if (known && strncmp(known, call->thread, length) == 0 &&
		known[length] == '#')
		return known;
	free(emu_table_take(&sink->threads, key));
	memcpy(name, call->thread, sizeof(name));
	for (size_t i = 0; i < length; i++) {
		if (name[i] == ' ' || name[i] == '#')
			name[i] = '_';
	}
	known = number(sink, length ? name : "?");
	if (!known || emu_table_set(&sink->threads, key, known) < 0) {
		free(known);
		return "?";
	}
	return known;
}

/* "TCP", "pipe", "pidfd", "file": a name without what is one run's own. */
static void kind_of(char *kind, size_t size, const char *name)
{
	if (name[0] == '/') {
		snprintf(kind, size, "file");
		return;
	}
	name += name[0] == '[';
	snprintf(kind, size, "%.*s", (int)strcspn(name, " :]"), name);
	if (!kind[0])
		snprintf(kind, size, "?");
}

static uint64_t item_key(const struct trace_call *call, int fd)
{
	return call->fd.object << 32 | (uint32_t)fd;
}

static const char *item_name(struct record_sink *sink,
	const struct trace_call *call, const struct trace_fd *fd)
{
	const char *name =
		emu_table_get(&sink->items, item_key(call, fd->number));

	return name ? name : "?";
}

/* EPOLL_CTL_ADD gives a name, EPOLL_CTL_DEL takes it. */
static void name_item(struct record_sink *sink, const struct trace_call *call)
{
	uint64_t key = item_key(call, call->item.number);
	bool emulated = call->item.kind == TRACE_FD_EPOLL ||
			call->item.kind == TRACE_FD_EVENTFD;
	char kind[TRACE_NAME];
	char *name;

	kind_of(kind, sizeof(kind), call->item.name);
	free(emu_table_take(&sink->items, key));
	name = emulated ? strdup(call->item.name) : number(sink, kind);
	if (!name || emu_table_set(&sink->items, key, name) < 0)
		free(name);
}

static void add_ctl(struct record_sink *sink, struct trace_text *text,
	const struct trace_call *call)
{
	int op = (int)(uint32_t)call->args[1];
	const char *name = trace_op_name(op);
	bool adds = op == 1 && call->result == 0;

	if (adds)
		name_item(sink, call);
	trace_add(text, "%s, %s, %s", call->fd.name, name ? name : "?",
		item_name(sink, call, &call->item));
	if (call->has_event) {
		trace_add(text, ", ");
		trace_add_events(text, call->event.events);
	} else if (call->result == 0) {
		free(emu_table_take(
			&sink->items, item_key(call, call->item.number)));
	}
}

static void add_wait(struct trace_text *text, const struct trace_call *call)
{
	int64_t timeout_ns = trace_timeout_ns(call);

	trace_add(text, "%s, %d, %s", call->fd.name,
		(int)(uint32_t)call->args[2],
		timeout_ns < 0	  ? "-1"
		: timeout_ns == 0 ? "0"
				  : "timed");
	if (call->kind != EMU_CALL_EPOLL_WAIT)
		trace_add(text, call->args[4] ? ", mask" : ", NULL");
}

static void add_arguments(struct record_sink *sink, struct trace_text *text,
	const struct trace_call *call)
{
	switch (call->kind) {
	case EMU_CALL_EPOLL_CTL:
		add_ctl(sink, text, call);
		break;
	case EMU_CALL_EPOLL_WAIT:
	case EMU_CALL_EPOLL_PWAIT:
	case EMU_CALL_EPOLL_PWAIT2:
		add_wait(text, call);
		break;
	case EMU_CALL_READ:
		trace_add(text, "%s", call->fd.name);
		break;
	case EMU_CALL_WRITE:
		trace_add(text, "%s, %llu", call->fd.name,
			(unsigned long long)call->value);
		break;
	default:
		trace_add_creation(text, call->kind, call->args);
	}
}

static void add_delivered(struct record_sink *sink, struct trace_text *text,
	const struct trace_call *call)
{
	trace_add(text, "[");
	for (int i = 0; i < call->shown; i++) {
		trace_add(text, i ? ", " : "");
		trace_add_events(text, call->events[i].events);
		trace_add(text, " %s",
			item_name(sink, call, &call->events[i].fd));
	}
	trace_add(text, "]");
}

static void add_result(struct record_sink *sink, struct trace_text *text,
	const struct trace_call *call)
{
	trace_add(text, ") = ");
	if (call->how == EMU_END_CONTINUED || call->how == EMU_END_GONE)
		trace_add(text, "?");
	else if (trace_call_made_fd(call))
		trace_add(text, "%s", call->fd.name);
	else if (call->result < 0)
		trace_add(text, "-1 %s", trace_error_name((int)-call->result));
	else if (emu_call_is_wait(call->kind))
		add_delivered(sink, text, call);
	else
		trace_add(text, "%lld", (long long)call->result);
}

static void write_call(void *ctx, const struct trace_call *call)
{
	struct record_sink *sink = ctx;
	struct trace_text text = {.bytes = sink->line, .room = LINE - 1};

	trace_add(&text, "%s %s(", thread_name(sink, call),
		emu_call_name(call->kind));
	add_arguments(sink, &text, call);
	add_result(sink, &text, call);
	sink->line[text.size] = '\n';
	emu_outlet_put(sink->out, sink->line, text.size + 1);
}

static void finish(void *ctx)
{
	struct record_sink *sink = ctx;
	struct ordinal *ordinal;

	while ((ordinal = sink->ordinals)) {
		sink->ordinals = ordinal->next;
		free(ordinal);
	}
	emu_table_free(&sink->threads);
	emu_table_free(&sink->items);
	emu_outlet_put_lost(sink->out);
	free(sink);
}

struct trace_sink *trace_record_create(struct emu_outlet *out)
{
	static const char head[] = TRACE_SEQUENCE_HEAD "\n";
	struct record_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->sink = (struct trace_sink){
		.ctx = sink,
		.call = write_call,
		.finish = finish,
	};
	sink->out = out;
	emu_outlet_put(sink->out, head, sizeof(head) - 1);
	return &sink->sink;
}
