/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 as RFC 3629 has it. Names of files and threads may hold any bytes; what
 * a trace shows of them must be text.
 */
#include "trace/utf8.h"

size_t trace_utf8_length(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	unsigned int low = 0x80;
	unsigned int high = 0xbf;

	if (at[0] < 0x80)
		return at[0] >= 0x20 && at[0] != 0x7f;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	if (at[0] == 0xe0 || at[0] == 0xf0)
		low = at[0] == 0xe0 ? 0xa0 : 0x90;
	if (at[0] == 0xed || at[0] == 0xf4)
		high = at[0] == 0xed ? 0x9f : 0x8f;
	if (at[0] == 0xc2)
		low = 0xa0; /* what is below are control characters as well */
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	/* U+2028 and U+2029 end a line. */
	return at[0] == 0xe2 && at[1] == 0x80 && (at[2] & 0xfe) == 0xa8
		       ? 0
		       : length;
}

void trace_utf8_clean(char *text)
{
	size_t length;

	for (; *text; text += length ? length : 1) {
		length = trace_utf8_length(text);
		if (!length)
			*text = '?';
	}
}
