/* SPDX-License-Identifier: MIT */
/*
 * What is mapped where in a process: which module an address belongs to, and
 * what the module's ELF header says of the index of its unwind tables.
 *
 * Both are read anew for each stack that is unwound, so nothing has to be
 * known of exec, dlopen() and dlclose(). The header is read from the process,
 * not from the file, which may be another by now, or deleted, or in a mount
 * namespace of the program's own. All of it is the program's to write:
 * numbers are only used as addresses to read from, and counts have bounds.
 */
#define _GNU_SOURCE
#include "launcher/modules.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_RANGES = 65536, MOST_HEADERS = 64, MOST_NOTES = 16 };

/* Room for one more element of an array that doubles. */
static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return realloc(array, (count ? count * 2 : 1) * size);
}

static bool has_file(const char *path)
{
	return *path == '/' || strcmp(path, "[vdso]") == 0;
}

static bool add_module(struct emu_modules *modules,
	const struct emu_range *range, uint64_t inode, const char *path)
{
	struct emu_module *all = grow(modules->modules, modules->module_count,
		sizeof(*modules->modules));
	struct emu_module *module;

	if (!all)
		return false;
	modules->modules = all;
	module = &all[modules->module_count];
	*module = (struct emu_module){
		.start = range->start,
		.end = range->end,
		.first_end = range->end,
		.inode = inode,
		.path = strdup(path),
	};
	modules->module_count += module->path != NULL;
	return module->path;
}

/* A module begins with its file's beginning; the rest of it follows. */
static void set_module(struct emu_modules *modules, struct emu_range *range,
	uint64_t offset, uint64_t inode, const char *path)
{
	struct emu_module *last =
		modules->module_count
			? &modules->modules[modules->module_count - 1]
			: NULL;
	bool same =
		last && last->inode == inode && strcmp(last->path, path) == 0;

	range->module = -1;
	if (!has_file(path))
		return;
	if (offset == 0 && (!same || !range->writable)) {
		if (!add_module(modules, range, inode, path))
			return;
	} else if (!same) {
		return;
	}
	range->module = (int)modules->module_count - 1;
	modules->modules[range->module].end = range->end;
}

static int add_line(struct emu_modules *modules, char *line)
{
	unsigned long long start, end, offset, inode;
	struct emu_range *range;
	int path = 0;
	char rights[8];

	if (sscanf(line, "%llx-%llx %7s %llx %*s %llu %n", &start, &end, rights,
		    &offset, &inode, &path) < 5 ||
		!path)
		return 0;
	if (modules->range_count == MOST_RANGES)
		return -E2BIG;
	range = grow(modules->ranges, modules->range_count, sizeof(*range));
	if (!range)
		return -ENOMEM;
	modules->ranges = range;
	range += modules->range_count++;
	range->start = start;
	range->end = end;
	range->writable = rights[1] == 'w';
	range->executable = rights[2] == 'x';
	line[strcspn(line, "\n")] = '\0';
	set_module(modules, range, offset, inode, line + path);
	return 0;
}

int emu_modules_read(struct emu_modules *modules, pid_t tid)
{
	char path[64];
	char *line = NULL;
	size_t room = 0;
	FILE *file;
	int rc = 0;

	*modules = (struct emu_modules){0};
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)tid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (rc == 0 && getline(&line, &room, file) > 0)
		rc = add_line(modules, line);
	free(line);
	fclose(file);
	return rc;
}

void emu_modules_clear(struct emu_modules *modules)
{
	for (size_t i = 0; i < modules->module_count; i++) {
		free(modules->modules[i].path);
		free(modules->modules[i].made);
	}
	free(modules->modules);
	free(modules->ranges);
	*modules = (struct emu_modules){0};
}

const struct emu_range *emu_modules_range(
	const struct emu_modules *modules, uint64_t address)
{
	size_t low = 0;
	size_t high = modules->range_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (modules->ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == modules->range_count || address < modules->ranges[low].start)
		return NULL;
	return &modules->ranges[low];
}

static void use_header(struct emu_module *module, const Elf64_Phdr *header)
{
	if (header->p_type == PT_LOAD && header->p_offset < 4096 &&
		!module->is_elf) {
		module->bias =
			module->start - (header->p_vaddr - header->p_offset);
		module->is_elf = true;
	} else if (header->p_type == PT_GNU_EH_FRAME) {
		module->index = header->p_vaddr;
		module->index_size = header->p_memsz;
	}
}

/* The build id; without one, the ELF header has to do. */
static void find_identity(struct emu_module *module,
	const struct emu_thread *thread, const Elf64_Phdr *header)
{
	uint64_t at = header->p_vaddr + module->bias;
	uint64_t end = at + header->p_memsz;

	for (int i = 0;
		i < MOST_NOTES && end - at >= sizeof(Elf64_Nhdr) && at < end;
		i++) {
		Elf64_Nhdr note;

		if (emu_target_read(thread, at, &note, sizeof(note)) < 0)
			return;
		at += sizeof(note) + ((note.n_namesz + 3ull) & ~3ull);
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
			note.n_descsz >= 16) {
			module->identity = at;
			module->identity_words = 2;
			return;
		}
		at += (note.n_descsz + 3ull) & ~3ull;
	}
}

static void read_headers(
	struct emu_module *module, const struct emu_thread *thread)
{
	Elf64_Phdr headers[MOST_HEADERS];
	Elf64_Ehdr elf;

	module->is_read = true;
	if (emu_target_read(thread, module->start, &elf, sizeof(elf)) < 0 ||
		memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0 ||
		elf.e_ident[EI_CLASS] != ELFCLASS64 ||
		elf.e_phentsize != sizeof(headers[0]) ||
		elf.e_phnum > MOST_HEADERS ||
		emu_target_read(thread, module->start + elf.e_phoff, headers,
			elf.e_phnum * sizeof(headers[0])) < 0)
		return;
	for (int i = 0; i < elf.e_phnum; i++)
		use_header(module, &headers[i]);
	if (module->index)
		module->index += module->bias;
	module->identity = module->start;
	module->identity_words = sizeof(elf) / sizeof(uint64_t);
	for (int i = 0; i < elf.e_phnum && module->is_elf; i++) {
		if (headers[i].p_type == PT_NOTE)
			find_identity(module, thread, &headers[i]);
	}
}

struct emu_module *emu_modules_find(struct emu_modules *modules,
	const struct emu_thread *thread, uint64_t address)
{
	const struct emu_range *range = emu_modules_range(modules, address);
	struct emu_module *module;

	if (!range || range->module < 0)
		return NULL;
	module = &modules->modules[range->module];
	if (!module->is_read)
		read_headers(module, thread);
	return module->is_elf ? module : NULL;
}

uint64_t emu_modules_random(pid_t tid)
{
	Elf64_auxv_t vector[64] = {{0}};
	char path[64];
	FILE *file;
	size_t count;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)tid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	count = fread(vector, sizeof(vector[0]), 64, file);
	fclose(file);
	for (size_t i = 0; i < count; i++) {
		if (vector[i].a_type == AT_RANDOM)
			return vector[i].a_un.a_val;
	}
	return 0;
}
