/* SPDX-License-Identifier: MIT */
/* Recorded sequences, read back; and what is said of them. */
#ifndef TRACE_SEQUENCE_H
#define TRACE_SEQUENCE_H

#include <stdbool.h>
#include <stddef.h>

struct trace_step {
	const char *thread; /* "brush#1" */
	const char *call; /* "epoll_create1(EPOLL_CLOEXEC) = epoll#1" */
	int line; /* in its file, from 1 */
};

struct trace_sequence {
	const char *path;
	char *text; /* what the steps point into */
	struct trace_step *steps;
	size_t count;
	unsigned long long lost; /* steps that the recording dropped */
};

/*
 * Reads a file that --record wrote; lines that begin with # are comments.
 * Returns 0, or -1 after saying on standard error what is wrong.
 */
int trace_sequence_read(struct trace_sequence *sequence, const char *path);
void trace_sequence_free(struct trace_sequence *sequence);

/*
 * Prints how b differs from a: within each thread or, with `any_thread`, in
 * all. Returns how many differences there are, -1 without memory.
 */
int trace_compare(const struct trace_sequence *a,
	const struct trace_sequence *b, bool any_thread);

/* Prints what the program needs. Returns 0, -1 without memory. */
int trace_summarize(const struct trace_sequence *sequence);

#endif
