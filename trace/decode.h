/* SPDX-License-Identifier: MIT */
/* Arguments and results in words, as strace(1) has them. */
#ifndef TRACE_DECODE_H
#define TRACE_DECODE_H

#include <stdio.h>
#include <string.h>

#include "trace/call.h"

/*
 * Text that is put together piece by piece. What does not fit is dropped, and
 * `cut` tells.
 */
struct trace_text {
	char *bytes;
	size_t size;
	size_t room;
	bool cut;
};

void trace_add(struct trace_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The same for what most of a line is made of, without a format: a number, one
 * in hexadecimal with 0x before it, and one of at least `width` digits, filled
 * up with `fill`. For strings see below.
 */
void trace_put_number(struct trace_text *text, int64_t number);
void trace_put_hex(struct trace_text *text, uint64_t number);
void trace_put_wide(
	struct trace_text *text, uint64_t number, int width, char fill);

/* As many of the bytes as there is room for, which are not all. */
void trace_put_cut(struct trace_text *text, const char *bytes);

/* These are inline because most strings are constants of a few bytes. */
static inline void trace_put_bytes(
	struct trace_text *text, const char *bytes, size_t size)
{
	if (size > text->room - text->size - 1) {
		trace_put_cut(text, bytes);
		return;
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = '\0';
}

static inline void trace_put(struct trace_text *text, const char *string)
{
	trace_put_bytes(text, string, strlen(string));
}

/* "EPOLLIN|EPOLLET", "0"; unknown bits in hexadecimal at the end. */
void trace_add_events(struct trace_text *text, uint32_t events);
/* "EPOLL_CLOEXEC", "EFD_CLOEXEC|EFD_NONBLOCK", "0" */
void trace_add_flags(
	struct trace_text *text, enum emu_call_kind kind, int flags);
/* The arguments of epoll_create(), eventfd() and their kin: "0, EFD_CLOEXEC" */
void trace_add_creation(
	struct trace_text *text, enum emu_call_kind kind, const uint64_t *args);
/* "12 µs", "3.400 ms", "1.000000 s" */
void trace_add_time(struct trace_text *text, uint64_t ns);

/* "EPOLL_CTL_ADD"; NULL for none of the three. */
const char *trace_op_name(int op);
/* "EAGAIN"; "E?" for what has no name. */
const char *trace_error_name(int error);
/* "SIGCHLD"; "a signal" for 0, "SIGRT_3" and the like for others. */
const char *trace_signal_name(int sig);

/* A wait's timeout; -1 for ever. */
int64_t trace_timeout_ns(const struct trace_call *call);

#endif
