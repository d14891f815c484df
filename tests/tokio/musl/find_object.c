/* SPDX-License-Identifier: MIT */
/*
 * What Debian's libgcc_eh needs of glibc, for a static program with musl.
 *
 * The std library of the musl build unwinds with libgcc_eh, which since GCC 12
 * finds the unwind table of a code address by glibc's _dl_find_object() alone.
 * A static program has one object, so the answer is its own program headers.
 * The structure is that of glibc's <dlfcn.h> on x86-64.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>

struct find_result {
	unsigned long long flags;
	void *map_start;
	void *map_end;
	void *link_map;
	void *eh_frame;
	unsigned long long reserved[7];
};

int _dl_find_object(void *pc, struct find_result *result);

static int visit(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct find_result *result = arg;
	const char *base = (const char *)info->dlpi_addr;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		char *start = (char *)base + ph->p_vaddr;

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X)) {
			result->map_start = start;
			result->map_end = start + ph->p_memsz;
		} else if (ph->p_type == PT_GNU_EH_FRAME) {
			result->eh_frame = start;
		}
	}
	return 1;
}

int _dl_find_object(void *pc, struct find_result *result)
{
	*result = (struct find_result){0};
	dl_iterate_phdr(visit, result);
	if (!result->eh_frame || pc < result->map_start ||
		pc >= result->map_end)
		return -1;
	return 0;
}
