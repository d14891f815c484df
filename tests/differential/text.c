/* SPDX-License-Identifier: MIT */
/*
 * The results of operations as text, see text.h. It lives in memory that
 * several processes share, so it holds no pointer.
 */
#define _GNU_SOURCE
#include "text.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_clear(struct text *t)
{
	t->len = 0;
	t->data[0] = '\0';
}

void text_add(struct text *t, const char *format, ...)
{
	size_t room = sizeof(t->data) - t->len;
	va_list args;

	va_start(args, format);
	int n = vsnprintf(t->data + t->len, room, format, args);

	va_end(args);
	if (n > 0)
		t->len += (size_t)n < room ? (uint32_t)n : (uint32_t)room - 1;
}

void text_add_result(struct text *t, long result)
{
	const char *name = result < 0 ? strerrorname_np((int)-result) : NULL;

	if (name)
		text_add(t, "-%s", name);
	else
		text_add(t, "%ld", result);
}

void text_add_bytes(struct text *t, const unsigned char *data, long count)
{
	uint32_t sum = 2166136261u;

	text_add(t, " [");
	for (long i = 0; i < count && count <= 8; i++)
		text_add(t, "%02x", data[i]);
	for (long i = 0; i < count; i++)
		sum = (sum ^ data[i]) * 16777619u;
	if (count > 8)
		text_add(t, "sum %08x", sum);
	text_add(t, "]");
}
