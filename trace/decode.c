/* SPDX-License-Identifier: MIT */
/*
 * Arguments and results in words. Names are those of the manual pages; what
 * has none is shown as a number, never left out.
 */
#include "trace/decode.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

/* A number of 64 bits has no more, in either base. */
#define DIGITS 24

struct bit {
	uint32_t value;
	const char *name;
};

static const struct bit event_bits[] = {
	{EPOLLIN, "EPOLLIN"},
	{EPOLLPRI, "EPOLLPRI"},
	{EPOLLOUT, "EPOLLOUT"},
	{EPOLLERR, "EPOLLERR"},
	{EPOLLHUP, "EPOLLHUP"},
	{EPOLLRDNORM, "EPOLLRDNORM"},
	{EPOLLRDBAND, "EPOLLRDBAND"},
	{EPOLLWRNORM, "EPOLLWRNORM"},
	{EPOLLWRBAND, "EPOLLWRBAND"},
	{EPOLLMSG, "EPOLLMSG"},
	{EPOLLRDHUP, "EPOLLRDHUP"},
	{EPOLLEXCLUSIVE, "EPOLLEXCLUSIVE"},
	{EPOLLWAKEUP, "EPOLLWAKEUP"},
	{EPOLLONESHOT, "EPOLLONESHOT"},
	{EPOLLET, "EPOLLET"},
	{0, NULL},
};

static const struct bit epoll_flags[] = {
	{EPOLL_CLOEXEC, "EPOLL_CLOEXEC"},
	{0, NULL},
};

static const struct bit eventfd_flags[] = {
	{EFD_SEMAPHORE, "EFD_SEMAPHORE"},
	{EFD_CLOEXEC, "EFD_CLOEXEC"},
	{EFD_NONBLOCK, "EFD_NONBLOCK"},
	{0, NULL},
};

void trace_add(struct trace_text *text, const char *format, ...)
{
	size_t rest = text->room - text->size;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text->bytes + text->size, rest, format, args);
	va_end(args);
	if (length < 0)
		return;
	if ((size_t)length >= rest) {
		text->cut = true;
		text->size = text->room - 1;
	} else {
		text->size += (size_t)length;
	}
}

void trace_put_cut(struct trace_text *text, const char *bytes)
{
	size_t rest = text->room - text->size - 1;

	text->cut = true;
	memcpy(text->bytes + text->size, bytes, rest);
	text->size += rest;
	text->bytes[text->size] = '\0';
}

void trace_put_wide(
	struct trace_text *text, uint64_t number, int width, char fill)
{
	char digits[DIGITS];
	char *first = digits + DIGITS;

	do {
		*--first = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (digits + DIGITS - first < width && first > digits)
		*--first = fill;
	trace_put_bytes(text, first, (size_t)(digits + DIGITS - first));
}

void trace_put_number(struct trace_text *text, int64_t number)
{
	if (number < 0)
		trace_put_bytes(text, "-", 1);
	trace_put_wide(text, number < 0 ? -(uint64_t)number : (uint64_t)number,
		0, ' ');
}

void trace_put_hex(struct trace_text *text, uint64_t number)
{
	char digits[DIGITS];
	char *first = digits + DIGITS;

	do {
		*--first = "0123456789abcdef"[number % 16];
		number /= 16;
	} while (number);
	*--first = 'x';
	*--first = '0';
	trace_put_bytes(text, first, (size_t)(digits + DIGITS - first));
}

static void add_bits(
	struct trace_text *text, const struct bit *bits, uint32_t value)
{
	const char *separator = "";

	if (!value)
		trace_put(text, "0");
	for (; bits->name && value; bits++) {
		if (!(value & bits->value))
			continue;
		trace_put(text, separator);
		trace_put(text, bits->name);
		separator = "|";
		value &= ~bits->value;
	}
	if (value)
		trace_add(text, "%s0x%x", separator, value);
}

void trace_add_events(struct trace_text *text, uint32_t events)
{
	add_bits(text, event_bits, events);
}

void trace_add_flags(
	struct trace_text *text, enum emu_call_kind kind, int flags)
{
	add_bits(text,
		kind == EMU_CALL_EPOLL_CREATE1 ? epoll_flags : eventfd_flags,
		(uint32_t)flags);
}

void trace_add_creation(
	struct trace_text *text, enum emu_call_kind kind, const uint64_t *args)
{
	switch (kind) {
	case EMU_CALL_EPOLL_CREATE1:
		trace_add_flags(text, kind, (int)(uint32_t)args[0]);
		break;
	case EMU_CALL_EVENTFD2:
		trace_add(text, "%u, ", (unsigned int)args[0]);
		trace_add_flags(text, kind, (int)(uint32_t)args[1]);
		break;
	default:
		trace_add(text, "%u", (unsigned int)args[0]);
	}
}

void trace_add_time(struct trace_text *text, uint64_t ns)
{
	if (ns < 1000000u) {
		trace_put_number(text, (int64_t)(ns / 1000));
		trace_put(text, " µs");
	} else if (ns < 1000000000u) {
		trace_add(text, "%.3f ms", (double)ns / 1e6);
	} else {
		trace_add(text, "%.6f s", (double)ns / 1e9);
	}
}

const char *trace_op_name(int op)
{
	switch (op) {
	case EPOLL_CTL_ADD:
		return "EPOLL_CTL_ADD";
	case EPOLL_CTL_MOD:
		return "EPOLL_CTL_MOD";
	case EPOLL_CTL_DEL:
		return "EPOLL_CTL_DEL";
	default:
		return NULL;
	}
}

const char *trace_error_name(int error)
{
	const char *name = strerrorname_np(error);

	return name ? name : "E?";
}

const char *trace_signal_name(int sig)
{
	static char text[24];
	const char *name = sig ? sigabbrev_np(sig) : NULL;

	if (!sig)
		return "a signal";
	if (name)
		snprintf(text, sizeof(text), "SIG%s", name);
	else
		snprintf(text, sizeof(text), "SIGRT_%d", sig - 32);
	return text;
}

int64_t trace_timeout_ns(const struct trace_call *call)
{
	int ms = (int)(uint32_t)call->args[3];

	if (call->kind == EMU_CALL_EPOLL_PWAIT2)
		return call->timeout_ns;
	return ms < 0 ? -1 : (int64_t)ms * 1000000;
}
