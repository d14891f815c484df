/* SPDX-License-Identifier: MIT */
/*
 * An index for unwind tables that have none.
 *
 * A static program (not a static-pie one) has .eh_frame, but no .eh_frame_hdr
 * to search in it. Here all of .eh_frame is read through once, and the
 * beginning of each function is put into a table like that of .eh_frame_hdr.
 *
 * Of the ways to write an address, the two are read that gcc and clang use
 * (relative to its place, with 4 or 8 bytes); what is written another way is
 * passed over. The bytes are the program's: every read is checked against the
 * end, and each step goes forward.
 */
#include "launcher/ehframe.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 32 * 1024 * 1024 };

struct section {
	const unsigned char *bytes;
	size_t size;
	uint64_t address;
};

struct table {
	struct emu_ehframe_entry *entries;
	size_t count;
	size_t room;
};

static int32_t word_at(const struct section *section, size_t at)
{
	int32_t word;

	memcpy(&word, section->bytes + at, sizeof(word));
	return word;
}

/* Behind the number in LEB128. */
static size_t skip_number(const struct section *section, size_t at, size_t end)
{
	while (at < end && section->bytes[at] & 0x80)
		at++;
	return at + 1;
}

static size_t skip_pointer(unsigned char encoding, size_t at)
{
	static const unsigned char sizes[] = {8, 0, 2, 4, 8, 0, 0, 0};

	return at + sizes[encoding & 7];
}

/*
 * How the addresses are written whose common entry (CIE) has its augmentation
 * string at `at` and ends at `end`; DW_EH_PE_omit when that is not said.
 */
static unsigned char encoding_of(
	const struct section *section, size_t at, size_t end)
{
	const unsigned char *letters = section->bytes + at;
	size_t length = strnlen((const char *)letters, end - at);

	if (length == end - at || *letters != 'z')
		return DW_EH_PE_omit;
	at = skip_number(section, at + length + 1, end);
	at = skip_number(section, at, end);
	at = skip_number(section, at, end); /* the return address's register */
	at = skip_number(section, at, end);
	for (size_t i = 1; i < length && at < end; i++) {
		if (letters[i] == 'R')
			return section->bytes[at];
		if (letters[i] == 'P')
			at = skip_pointer(section->bytes[at], at + 1);
		else if (letters[i] == 'L')
			at++;
		else if (letters[i] != 'S' && letters[i] != 'B')
			break;
	}
	return DW_EH_PE_omit;
}

static void add(struct table *table, int64_t function, int64_t description)
{
	struct emu_ehframe_entry *entries = table->entries;

	if (function != (int32_t)function ||
		description != (int32_t)description)
		return;
	if (table->count == table->room) {
		table->room = table->room ? table->room * 2 : 1024;
		entries =
			realloc(table->entries, table->room * sizeof(*entries));
		if (!entries) {
			table->room = table->count;
			return;
		}
		table->entries = entries;
	}
	entries[table->count].function = (int32_t)function;
	entries[table->count].description = (int32_t)description;
	table->count++;
}

/* The description of one function (FDE) is at `at`, behind its length. */
static void add_function(struct table *table, const struct section *section,
	size_t at, size_t end, uint64_t base)
{
	size_t back = (size_t)(uint32_t)word_at(section, at);
	unsigned char encoding;
	uint64_t function;
	int64_t far;

	/* Length, zero, version, then the augmentation string. */
	if (back > at || at - back + 9 >= end)
		return;
	encoding = encoding_of(section, at - back + 9, end);
	function = section->address + at + 4;
	if (encoding == (DW_EH_PE_pcrel | DW_EH_PE_sdata4)) {
		function += (uint64_t)(int64_t)word_at(section, at + 4);
	} else if (encoding == (DW_EH_PE_pcrel | DW_EH_PE_sdata8) &&
		   end - at >= 12) {
		memcpy(&far, section->bytes + at + 4, sizeof(far));
		function += (uint64_t)far;
	} else {
		return;
	}
	add(table, (int64_t)(function - base),
		(int64_t)(section->address + at - 4 - base));
}

static void read_through(
	struct table *table, const struct section *section, uint64_t base)
{
	size_t at = 0;

	while (at + 12 <= section->size) {
		size_t length = (size_t)(uint32_t)word_at(section, at);

		at += 4;
		if (length < 8 || length > section->size - at)
			return; /* the end, or what has 64 bits of length */
		if (word_at(section, at))
			add_function(table, section, at, at + length, base);
		at += length;
	}
}

static int compare(const void *a, const void *b)
{
	const struct emu_ehframe_entry *one = a;
	const struct emu_ehframe_entry *other = b;

	return (one->function > other->function) -
	       (one->function < other->function);
}

void emu_ehframe_index(struct emu_module *module,
	const struct emu_thread *thread, uint64_t address, uint64_t size)
{
	struct section section = {.address = address, .size = (size_t)size};
	struct table table = {0};
	unsigned char *bytes;

	if (size > MOST_BYTES)
		return;
	bytes = malloc(section.size);
	section.bytes = bytes;
	if (bytes && emu_target_read(thread, address, bytes, section.size) == 0)
		read_through(&table, &section, module->start);
	free(bytes);
	if (table.count)
		qsort(table.entries, table.count, sizeof(*table.entries),
			compare);
	module->made = (char *)table.entries;
	module->made_size = table.count * sizeof(*table.entries);
}
