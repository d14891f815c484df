/* SPDX-License-Identifier: MIT */
/*
 * Files whose poll takes away what they report.
 *
 * Natively the first epoll_wait() that polls such a file has its event. Here
 * the loop polls it to learn that it was woken at all, and the kernel passes no
 * more than "ready" through an epoll within an epoll. So the bits that the kind
 * of file gives up then are kept with the watch until the engine polls it: the
 * loop's poll found some, unless the file is in an error or at an end that
 * lasts. When a file has several watches, the first poll took its event for
 * all; they all keep it, and the first report takes it from all.
 *
 * The kinds, read in 6.1 to 6.18. Any other is ordinary: a poll changes
 * nothing that the next one would say.
 *
 *   perf events            perf_poll(): atomic_xchg(&rb->poll, 0)
 *   /proc/pressure,        psi_trigger_poll(): cmpxchg(&t->event, 1, 0)
 *   cgroups' *.pressure
 *   mounts, mountinfo      mounts_poll(): m->poll_event
 *   swaps                  swaps_poll(): seq->poll_event
 *   hostname, domainname   proc_sys_poll(): filp->private_data; no other
 *                          sysctl has anything to wait for
 *   hist of a trace event  event_hist_poll(): hist_file->last_act
 */
#include "taken.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "poll_bits.h"
#include "watch.h"

#define IN_BITS (EMU_EPOLLIN | EMU_EPOLLRDNORM)
#define CHANGE (EMU_EPOLLPRI | EMU_EPOLLERR)

static const struct {
	long fs;
	const char *name; /* how the path ends */
	uint32_t bits;
} kinds[] = {
	{PROC_SUPER_MAGIC, "/mounts", CHANGE},
	{PROC_SUPER_MAGIC, "/mountinfo", CHANGE},
	{PROC_SUPER_MAGIC, "/swaps", CHANGE},
	{PROC_SUPER_MAGIC, "/sys/kernel/hostname", CHANGE},
	{PROC_SUPER_MAGIC, "/sys/kernel/domainname", CHANGE},
	{PROC_SUPER_MAGIC, "/pressure/cpu", EMU_EPOLLPRI},
	{PROC_SUPER_MAGIC, "/pressure/io", EMU_EPOLLPRI},
	{PROC_SUPER_MAGIC, "/pressure/irq", EMU_EPOLLPRI},
	{PROC_SUPER_MAGIC, "/pressure/memory", EMU_EPOLLPRI},
	{CGROUP2_SUPER_MAGIC, "/cpu.pressure", EMU_EPOLLPRI},
	{CGROUP2_SUPER_MAGIC, "/io.pressure", EMU_EPOLLPRI},
	{CGROUP2_SUPER_MAGIC, "/irq.pressure", EMU_EPOLLPRI},
	{CGROUP2_SUPER_MAGIC, "/memory.pressure", EMU_EPOLLPRI},
	{TRACEFS_MAGIC, "/hist", EMU_EPOLLPRI},
};

/* The path of our descriptor, without what says that it is there no more. */
static bool path_of(int fd, char *path, size_t size)
{
	static const char gone[] = " (deleted)";
	size_t suffix = sizeof(gone) - 1;
	char link[32];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, size - 1);
	if (length < 0)
		return false;
	path[length] = '\0';
	if ((size_t)length > suffix &&
		strcmp(path + (size_t)length - suffix, gone) == 0)
		path[(size_t)length - suffix] = '\0';
	return true;
}

static bool ends_with(const char *path, const char *name)
{
	size_t length = strlen(path);
	size_t suffix = strlen(name);

	return length >= suffix && strcmp(path + length - suffix, name) == 0;
}

uint32_t emu_taken_by_poll(int fd, mode_t mode, bool perf)
{
	char path[4096];
	struct statfs fs;

	if (perf)
		return IN_BITS;
	if (!S_ISREG(mode) || fstatfs(fd, &fs) < 0)
		return 0;
	if (fs.f_type != PROC_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC &&
		fs.f_type != TRACEFS_MAGIC)
		return 0;
	if (!path_of(fd, path, sizeof(path)))
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].fs == fs.f_type && ends_with(path, kinds[i].name))
			return kinds[i].bits;
	}
	return 0;
}

static struct emu_watch *alike(
	const struct emu_list *list, const struct emu_watch *watch, int fd)
{
	struct emu_list *pos;

	emu_list_for_each (pos, list) {
		struct emu_watch *other =
			emu_container_of(pos, struct emu_watch, link);

		if (other != watch && other->source.forgets &&
			emu_weak_is_own(&other->weak, fd) == 1)
			return other;
	}
	return NULL;
}

void emu_taken_join(struct emu_watches *set, struct emu_watch *watch, int fd)
{
	struct emu_watch *other = alike(&set->all, watch, fd);

	if (!other)
		other = alike(&set->shared, watch, fd);
	if (other)
		emu_list_add_tail(&watch->alike, &other->alike);
}

static struct emu_watch *of_ring(struct emu_list *link)
{
	return emu_container_of(link, struct emu_watch, alike);
}

/* The bits are there for who polls any of the file's watches. */
static void keep(struct emu_watch *watch, uint32_t bits)
{
	struct emu_list *pos;

	bits &= watch->source.forgets;
	watch->remembered |= bits;
	emu_list_for_each (pos, &watch->alike)
		of_ring(pos)->remembered |= bits;
}

uint32_t emu_taken_poll(struct emu_watch *watch)
{
	uint32_t bits = emu_weak_poll(&watch->weak);

	keep(watch, bits);
	return bits | watch->remembered;
}

void emu_taken_by_loop(struct emu_watch *watch)
{
	uint32_t lasting =
		emu_taken_poll(watch) & (EMU_EPOLLERR | EMU_EPOLLHUP);

	if (!(lasting & ~watch->source.forgets))
		keep(watch, watch->source.forgets);
}

uint32_t emu_taken_report(struct emu_watch *watch, uint32_t bits)
{
	struct emu_list *pos;

	/* proc_sys_poll() does not say of one that changed that it is ready for
	 * writing; of others with an error nobody says so. */
	if (watch->remembered & EMU_EPOLLERR)
		bits &= ~(EMU_EPOLLOUT | EMU_EPOLLWRNORM);
	bits |= watch->remembered;
	watch->remembered = 0;
	emu_list_for_each (pos, &watch->alike)
		of_ring(pos)->remembered = 0;
	return bits;
}

void emu_taken_restore(struct emu_watch *watch, uint32_t bits)
{
	keep(watch, bits);
}
