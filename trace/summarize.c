/* SPDX-License-Identifier: MIT */
/*
 * What a program needs of epoll and eventfd: the list that the author of a
 * kernel works through. Steps that differ only in which epoll, item or thread
 * they are about are one need; and what is not among the needs at all, of
 * that which exists, is listed as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/sequence.h"

struct need {
	char *shape; /* a call without numbers */
	unsigned long count;
};

struct needs {
	struct need *needs;
	size_t count;
	size_t room;
};

/* Copies a call; "#12" is left out. A wait's events are left to others. */
static char *shape_of(const char *call)
{
	bool wait = strncmp(call, "epoll_wait", 10) == 0 ||
		    strncmp(call, "epoll_pwait", 11) == 0;
	char *shape = malloc(strlen(call) + 16);
	char *to = shape;

	while (shape && *call) {
		if (wait && strncmp(call, " = [", 4) == 0)
			break;
		if (*call == '#')
			call += 1 + strspn(call + 1, "0123456789");
		else
			*to++ = *call++;
	}
	if (shape)
		*to = '\0';
	return shape;
}

static int add(struct needs *needs, char *shape)
{
	struct need *bigger;

	if (!shape)
		return -1;
	for (size_t i = 0; i < needs->count; i++) {
		if (strcmp(needs->needs[i].shape, shape) == 0) {
			needs->needs[i].count++;
			free(shape);
			return 0;
		}
	}
	if (needs->count == needs->room) {
		needs->room = needs->room ? needs->room * 2 : 64;
		bigger = realloc(
			needs->needs, needs->room * sizeof(*needs->needs));
		if (!bigger) {
			free(shape);
			return -1;
		}
		needs->needs = bigger;
	}
	needs->needs[needs->count++] = (struct need){shape, 1};
	return 0;
}

/* "[EPOLLIN pipe#1, EPOLLHUP pipe#2]": a need for each event. */
static int add_events(struct needs *events, const char *call)
{
	const char *at = strstr(call, " = [");

	if (!at)
		return 0;
	for (at += 4; *at && *at != ']'; at += strspn(at, ", ")) {
		size_t size = strcspn(at, ",]");
		char *one = strndup(at, size);
		char *shape = one ? shape_of(one) : NULL;

		free(one);
		if (add(events, shape) < 0)
			return -1;
		at += size;
	}
	return 0;
}

static int by_shape(const void *a, const void *b)
{
	const struct need *one = a;
	const struct need *other = b;

	return strcmp(one->shape, other->shape);
}

static void print(const char *title, struct needs *needs)
{
	if (!needs->count)
		return;
	qsort(needs->needs, needs->count, sizeof(*needs->needs), by_shape);
	printf("%s\n", title);
	for (size_t i = 0; i < needs->count; i++)
		printf("%9lu  %s\n", needs->needs[i].count,
			needs->needs[i].shape);
}

static bool mentions(const struct needs *needs, const char *word)
{
	size_t size = strlen(word);

	for (size_t i = 0; i < needs->count; i++) {
		const char *at = needs->needs[i].shape;

		while ((at = strstr(at, word))) {
			at += size;
			/* EPOLLIN is not the start of another name. */
			if (at[-1] == '(' ||
				!strchr("_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
					*at) ||
				!*at)
				return true;
		}
	}
	return false;
}

static void print_never(const struct needs *needs, const struct needs *events)
{
	static const char *const words[] = {"epoll_create(", "epoll_create1(",
		"epoll_wait(", "epoll_pwait(", "epoll_pwait2(", "eventfd(",
		"eventfd2(", "read(", "write(", "EPOLL_CTL_ADD",
		"EPOLL_CTL_MOD", "EPOLL_CTL_DEL", "EPOLLIN", "EPOLLOUT",
		"EPOLLPRI", "EPOLLRDHUP", "EPOLLERR", "EPOLLHUP", "EPOLLET",
		"EPOLLONESHOT", "EPOLLEXCLUSIVE", "EPOLLWAKEUP",
		"EFD_SEMAPHORE", "EFD_NONBLOCK", ", timed", ", mask"};
	static const char *const named[] = {
		"a timeout above 0", "a signal mask"};
	const size_t last = sizeof(words) / sizeof(words[0]);
	const char *separator = "never: ";

	for (size_t i = 0; i < last; i++) {
		const char *word = words[i];
		size_t size = strcspn(word, "(");

		if (mentions(needs, word) || mentions(events, word))
			continue;
		if (i >= last - 2)
			printf("%s%s", separator, named[i - (last - 2)]);
		else
			printf("%s%.*s", separator, (int)size, word);
		separator = ", ";
	}
	printf("\n");
}

static void drop(struct needs *needs)
{
	for (size_t i = 0; i < needs->count; i++)
		free(needs->needs[i].shape);
	free(needs->needs);
}

int trace_summarize(const struct trace_sequence *sequence)
{
	struct needs needs = {NULL, 0, 0};
	struct needs events = {NULL, 0, 0};
	int rc = 0;

	for (size_t i = 0; i < sequence->count && rc == 0; i++) {
		const char *call = sequence->steps[i].call;

		rc = add(&needs, shape_of(call));
		if (rc == 0)
			rc = add_events(&events, call);
	}
	if (rc == 0 && sequence->lost)
		printf("%llu calls are missing, which the recording lost\n",
			sequence->lost);
	if (rc == 0) {
		print("needs:", &needs);
		print("events delivered:", &events);
		print_never(&needs, &events);
	}
	drop(&needs);
	drop(&events);
	return rc;
}
