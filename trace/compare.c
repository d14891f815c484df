/* SPDX-License-Identifier: MIT */
/*
 * How one sequence differs from another, in words.
 *
 * The threads of both are paired by name, and each pair is aligned by its
 * longest common subsequence. What is left over on one side only is then
 * explained: a call that has the same name and object on the other side at
 * the same place differs in its flags or its result; one that is on the other
 * side elsewhere comes in another order; else it is missing, or additional.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/sequence.h"

/* Beyond so many cells of the table only the first difference is told. */
#define MOST_CELLS 100000000u

/* One thread's steps. */
struct side {
	struct trace_step *steps;
	bool *told;
	size_t count;
};

static int pick(struct side *side, const struct trace_sequence *from,
	const char *thread)
{
	side->count = 0;
	side->steps = calloc(from->count + 1, sizeof(*side->steps));
	side->told = calloc(from->count + 1, sizeof(*side->told));
	if (!side->steps || !side->told)
		return -1;
	for (size_t i = 0; i < from->count; i++) {
		if (!thread || strcmp(from->steps[i].thread, thread) == 0)
			side->steps[side->count++] = from->steps[i];
	}
	return 0;
}

static void drop(struct side *side)
{
	free(side->steps);
	free(side->told);
}

static bool same(const struct side *a, size_t i, const struct side *b, size_t j)
{
	return strcmp(a->steps[i].call, b->steps[j].call) == 0;
}

/* Up to and with the first argument; for epoll_ctl(), with its operation. */
static size_t subject(const char *call)
{
	size_t size = strcspn(call, ",)");

	if (strncmp(call, "epoll_ctl(", 10) == 0 && call[size] == ',')
		size += 1 + strcspn(call + size + 1, ",)");
	if (call[size] == ')' || strncmp(call, "eventfd", 7) == 0 ||
		strncmp(call, "epoll_create", 12) == 0)
		size = strcspn(call, "(");
	return size;
}

static bool same_subject(const char *one, const char *other)
{
	size_t size = subject(one);

	return size == subject(other) && memcmp(one, other, size) == 0;
}

/* Marks the steps that both have, in order, as told. */
static int align(struct side *a, struct side *b)
{
	size_t width = b->count + 1;
	uint32_t *longest;
	size_t i;
	size_t j;

	longest = calloc((a->count + 1) * width, sizeof(*longest));
	if (!longest)
		return -1;
	for (i = a->count; i-- > 0;) {
		for (j = b->count; j-- > 0;) {
			uint32_t down = longest[(i + 1) * width + j];
			uint32_t right = longest[i * width + j + 1];

			longest[i * width + j] =
				same(a, i, b, j)
					? longest[(i + 1) * width + j + 1] + 1
				: down > right ? down
					       : right;
		}
	}
	for (i = 0, j = 0; i < a->count && j < b->count;) {
		if (same(a, i, b, j))
			a->told[i++] = b->told[j++] = true;
		else if (longest[(i + 1) * width + j] >=
			 longest[i * width + j + 1])
			i++;
		else
			j++;
	}
	free(longest);
	return 0;
}

/* Another step of `side` that is not told yet and says the same. */
static bool find(const struct side *side, const char *call, size_t *at)
{
	for (size_t i = 0; i < side->count; i++) {
		if (!side->told[i] && strcmp(side->steps[i].call, call) == 0) {
			*at = i;
			return true;
		}
	}
	return false;
}

static void print_place(const struct trace_step *step)
{
	printf("line %d, %s: ", step->line, step->thread);
}

/* A step of a that b does not have here; `j` is the place in b. */
static void explain(struct side *a, size_t i, struct side *b, size_t j)
{
	const struct trace_step *step = &a->steps[i];
	size_t at = 0;

	a->told[i] = true;
	print_place(step);
	if (find(b, step->call, &at)) {
		b->told[at] = true;
		printf("other order: %s comes %s, in line %d\n", step->call,
			at < j ? "earlier" : "later", b->steps[at].line);
	} else if (j < b->count && !b->told[j] &&
		   same_subject(step->call, b->steps[j].call)) {
		b->told[j] = true;
		printf("differs: %s\n    is now in line %d: %s\n", step->call,
			b->steps[j].line, b->steps[j].call);
	} else {
		printf("missing: %s\n", step->call);
	}
}

static int explain_all(struct side *a, struct side *b)
{
	size_t j = 0;
	int found = 0;

	for (size_t i = 0; i < a->count; i++) {
		if (a->told[i]) {
			/* Its partner in b: what is before that was passed. */
			while (j < b->count &&
				strcmp(b->steps[j].call, a->steps[i].call) != 0)
				j++;
			j += j < b->count;
			continue;
		}
		explain(a, i, b, j);
		j += j < b->count && b->told[j] &&
		     strcmp(b->steps[j].call, a->steps[i].call) != 0;
		found++;
	}
	for (j = 0; j < b->count; j++) {
		if (b->told[j])
			continue;
		print_place(&b->steps[j]);
		printf("additional: %s\n", b->steps[j].call);
		found++;
	}
	return found;
}

static int first_difference(const struct side *a, const struct side *b)
{
	size_t i = 0;

	while (i < a->count && i < b->count && same(a, i, b, i))
		i++;
	if (i == a->count && i == b->count)
		return 0;
	print_place(i < a->count ? &a->steps[i] : &b->steps[i]);
	printf("the sequences part: %s\n    and %s\n",
		i < a->count ? a->steps[i].call : "the end",
		i < b->count ? b->steps[i].call : "the end");
	return 1;
}

static int compare_thread(const struct trace_sequence *first,
	const struct trace_sequence *second, const char *thread)
{
	struct side a = {NULL, NULL, 0};
	struct side b = {NULL, NULL, 0};
	int found = -1;

	if (pick(&a, first, thread) == 0 && pick(&b, second, thread) == 0) {
		if ((a.count + 1) * (b.count + 1) > MOST_CELLS)
			found = first_difference(&a, &b);
		else if (align(&a, &b) == 0)
			found = explain_all(&a, &b);
	}
	drop(&a);
	drop(&b);
	return found;
}

static bool has_before(
	const struct trace_sequence *sequence, size_t end, const char *thread)
{
	for (size_t i = 0; i < end; i++) {
		if (strcmp(sequence->steps[i].thread, thread) == 0)
			return true;
	}
	return false;
}

/* What was not recorded may differ, so the two cannot be called the same. */
static int compare_lost(const struct trace_sequence *sequence)
{
	if (!sequence->lost)
		return 0;
	printf("'%s' lacks %llu calls, which its recording lost\n",
		sequence->path, sequence->lost);
	return 1;
}

int trace_compare(const struct trace_sequence *a,
	const struct trace_sequence *b, bool any_thread)
{
	const struct trace_sequence *both[] = {a, b};
	int total = compare_lost(a) + compare_lost(b);

	if (any_thread) {
		int found = compare_thread(a, b, NULL);

		return found < 0 ? found : total + found;
	}
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < both[side]->count; i++) {
			const char *thread = both[side]->steps[i].thread;
			int found;

			if (has_before(both[side], i, thread) ||
				(side && has_before(a, a->count, thread)))
				continue;
			found = compare_thread(a, b, thread);
			if (found < 0)
				return -1;
			total += found;
		}
	}
	return total;
}
