/* SPDX-License-Identifier: MIT */
/*
 * Which calls are shown. A term is a key and a list of words; it is met when
 * one of the words is: call=epoll_wait,write object=epoll#1 process=brush.
 * An object is that of the call or, for epoll_ctl(), of its item. A process
 * is given by the name of the calling thread or by its id.
 */
#include "trace/filter.h"

#include <stdio.h>
#include <string.h>

static const char *const keys[] = {"call=", "object=", "process="};
enum { CALL, OBJECT, PROCESS, KEYS };

static int key_of(const char *term)
{
	int key = 0;

	while (key < KEYS && strncmp(term, keys[key], strlen(keys[key])) != 0)
		key++;
	return key;
}

const char *trace_filter_add(struct trace_filter *filter, const char *term)
{
	int key = key_of(term);

	if (key == KEYS || !term[strlen(keys[key])])
		return "--trace-filter takes call=NAME, object=NAME or "
		       "process=NAME, not";
	if (filter->count == TRACE_TERMS)
		return "too many filters, at";
	filter->terms[filter->count++] = term;
	return NULL;
}

/* Is `name` one of the words of a list that commas divide? */
static bool listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (length) {
		size_t word = strcspn(list, ",");

		if (word == length && memcmp(list, name, length) == 0)
			return true;
		if (!list[word])
			break;
		list += word + 1;
	}
	return false;
}

static bool process_listed(const char *list, const struct trace_call *call)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", (int)call->pid);
	return listed(list, number) || listed(list, call->thread);
}

static bool is_met(const char *term, const struct trace_call *call)
{
	const char *list = strchr(term, '=') + 1;

	switch (key_of(term)) {
	case CALL:
		return listed(list, emu_call_name(call->kind));
	case OBJECT:
		return listed(list, call->fd.name) ||
		       listed(list, call->item.name);
	default:
		return process_listed(list, call);
	}
}

bool trace_filter_may_show(
	const struct trace_filter *filter, const struct trace_call *call)
{
	for (int i = 0; i < filter->count; i++) {
		if (key_of(filter->terms[i]) != OBJECT &&
			!is_met(filter->terms[i], call))
			return false;
	}
	return true;
}

bool trace_filter_shows(
	const struct trace_filter *filter, const struct trace_call *call)
{
	for (int i = 0; i < filter->count; i++) {
		if (!is_met(filter->terms[i], call))
			return false;
	}
	return true;
}
