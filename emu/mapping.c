/* SPDX-License-Identifier: MIT */
/*
 * Mappings of a target, and who brings their pages.
 *
 * The pages of a file come from its file system. One on a disk of this
 * machine, or in its memory, brings them by itself. One that is served by a
 * program (FUSE) or by another machine (a network file system) may take any
 * time. The file system is told by its device number: /proc/TID/maps has that
 * of each mapping, /proc/TID/mountinfo that of each mount, with the type. A
 * file system that is not mounted there, or is of a type that is not known
 * here, counts as one that may take any time.
 */
#include "mapping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "proc.h"

/* A line of a file of /proc that lists things, and room to read it with. */
struct listing {
	FILE *file;
	char room[4096];
	char line[512]; /* its beginning, if it is longer */
};

static bool open_listing(struct listing *listing, pid_t tid, const char *name)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	listing->file = fopen(path, "re");
	if (!listing->file)
		return false;
	setvbuf(listing->file, listing->room, _IOFBF, sizeof(listing->room));
	return true;
}

static bool next_line(struct listing *listing)
{
	int byte = '\n';

	if (!fgets(listing->line, sizeof(listing->line), listing->file))
		return false;
	if (!strchr(listing->line, '\n'))
		do
			byte = getc_unlocked(listing->file);
		while (byte != '\n' && byte != EOF);
	return true;
}

/* One line of maps. */
struct mapped {
	unsigned long long start, end;
	char access[5];
	unsigned int major, minor;
	unsigned long long inode;
};

/* The mappings come by ascending address. */
static bool next_mapped(struct listing *maps, struct mapped *mapped)
{
	while (next_line(maps))
		if (sscanf(maps->line, "%llx-%llx %4s %*x %x:%x %llu",
			    &mapped->start, &mapped->end, mapped->access,
			    &mapped->major, &mapped->minor,
			    &mapped->inode) == 6)
			return true;
	return false;
}

bool emu_mapping_covers(pid_t tid, uint64_t addr, size_t size)
{
	uint64_t end = addr + size;
	struct mapped mapped;
	struct listing maps;

	if (end < addr || !open_listing(&maps, tid, "maps"))
		return false;
	while (addr < end && next_mapped(&maps, &mapped))
		if (mapped.start <= addr && addr < mapped.end &&
			(mapped.access[0] == 'r' || mapped.access[1] == 'w'))
			addr = mapped.end;
	fclose(maps.file);
	return addr >= end;
}

/* Shared memory, memfds and the like are on a mount that nobody sees. */
static bool is_shared_memory(unsigned int major, unsigned int minor)
{
	static dev_t device;
	static bool known;
	struct stat stat;
	int fd;

	if (!known) {
		fd = memfd_create("", MFD_CLOEXEC);
		if (fd < 0)
			return false;
		known = fstat(fd, &stat) == 0;
		device = stat.st_dev;
		close(fd);
	}
	return known && device == makedev(major, minor);
}

static bool is_own_type(const char *type)
{
	static const char *const types[] = {"bcachefs", "btrfs", "devtmpfs",
		"erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "hugetlbfs",
		"iso9660", "overlay", "ramfs", "rootfs", "squashfs", "tmpfs",
		"vfat", "xfs", "zfs"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* Does the kernel bring what is on the file system, by itself? */
static bool is_own(pid_t tid, unsigned int major, unsigned int minor)
{
	unsigned int mount_major, mount_minor;
	struct listing mounts;
	const char *after;
	char type[32];
	bool own = false;

	if (is_shared_memory(major, minor))
		return true;
	if (!open_listing(&mounts, tid, "mountinfo"))
		return false;
	while (next_line(&mounts)) {
		if (sscanf(mounts.line, "%*d %*d %u:%u", &mount_major,
			    &mount_minor) != 2 ||
			mount_major != major || mount_minor != minor)
			continue;
		after = strstr(mounts.line, " - ");
		own = after && sscanf(after, " - %31s", type) == 1 &&
		      is_own_type(type);
		break;
	}
	fclose(mounts.file);
	return own;
}

static enum emu_backing backing_of(pid_t tid, const struct mapped *mapped)
{
	bool anonymous =
		mapped->inode == 0 && mapped->major == 0 && mapped->minor == 0;

	return anonymous || is_own(tid, mapped->major, mapped->minor)
		       ? EMU_BACKING_KERNEL
		       : EMU_BACKING_OTHER;
}

void emu_mapping_find(pid_t tid, uint64_t addr, struct emu_mapping *mapping)
{
	struct mapped mapped = {.end = 0};
	struct listing maps;

	*mapping = (struct emu_mapping){addr, addr + 1, EMU_BACKING_NONE};
	if (!open_listing(&maps, tid, "maps")) {
		if (emu_proc_no_room(-errno))
			mapping->backing = EMU_BACKING_OTHER;
		return;
	}
	while (mapped.end <= addr && next_mapped(&maps, &mapped))
		;
	fclose(maps.file);
	if (mapped.start <= addr && addr < mapped.end)
		*mapping = (struct emu_mapping){
			mapped.start, mapped.end, backing_of(tid, &mapped)};
}
