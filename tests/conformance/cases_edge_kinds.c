/* SPDX-License-Identifier: MIT */
/*
 * Files of the kernel's own, kind by kind: some give up what they report to
 * the first poll (pressure triggers, mounts, the host's name), some keep it
 * until they are read (cgroups), some are always ready. A kind that a machine
 * lacks, or keeps for others, is a skip.
 */
#include "conf.h"
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>

#define PSI_REF "kernel/sched/psi.c: psi_trigger_poll"

/* ---- pressure ---- */

static int pressure_open(const char *path)
{
	long fd = CALL(openat, AT_FDCWD, path, O_RDWR | O_NONBLOCK, 0);
	static const char trigger[] = "some 1000 2000000";

	if (fd < 0)
		conf_skip("no file of pressure that we may write");
	if (CALL(write, fd, trigger, sizeof(trigger)) < 0)
		conf_skip("no trigger of pressure for us");
	return (int)fd;
}

/* Until the flag is set; then the processors are free again. */
static void burn(void *arg)
{
	(void)arg;
	while (!flag_get(0))
		__asm__ volatile("" ::: "memory");
}

/* More work than there are processors. */
static void burn_all(void)
{
	unsigned long set[16] = {0};
	long size = CALL(sched_getaffinity, 0, sizeof(set), set);
	long i, n = 1;

	for (i = 0; i < size / (long)sizeof(long) && i < 16; i++)
		for (; set[i]; set[i] &= set[i] - 1)
			n++;
	if (n > 33)
		conf_skip("too many processors to keep them busy");
	for (i = 0; i < n; i++)
		child_start(burn, NULL);
}

static void pressure_reports(const char *path)
{
	int ep = ep_new(), fd = pressure_open(path);

	OK(ep_add(ep, fd, EPOLLPRI, 1));
	NONE(ep);
	burn_all();
	COMES(ep, {EPOLLPRI, 1});
	flag_set(0);
	NONE(ep); /* there is one in a window at most */
}

CASE(f11_pressure, .level = 4, .covers = "F11", .calls = "write epoll_wait",
	.ref = "Documentation/accounting/psi.rst; " PSI_REF,
	.breaks = "systemd-oomd, memory monitors of desktops, tokio-psi")
{
	pressure_reports("/proc/pressure/cpu");
}

CASE(f11_pressure_without_trigger, .level = 4, .covers = "F11",
	.calls = "openat epoll_wait", .ref = PSI_REF,
	.breaks = "nothing known: a file of pressure without a trigger")
{
	long fd = CALL(openat, AT_FDCWD, "/proc/pressure/cpu", O_RDONLY, 0);
	int ep = ep_new();

	if (fd < 0)
		conf_skip("no /proc/pressure");
	OK(ep_add(ep, (int)fd, EPOLLPRI, 1));
	NOW(ep, {EPOLLPRI | EPOLLERR, 1});
	NOW(ep, {EPOLLPRI | EPOLLERR, 1});
}

/* ---- cgroups ---- */

static const char *const cgroup_roots[] = {
	"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

/* The path of a file in a new cgroup, whose number in the list is returned. */
static int cgroup_new(void)
{
	char path[80];
	int i;

	for (i = 0; i < 2; i++) {
		struct text t = TEXT_ON(path);

		text_put(&t, "%s/cgroup.controllers", cgroup_roots[i]);
		if (CALL(faccessat, AT_FDCWD, path, 0) < 0)
			continue;
		t.len = 0;
		text_put(&t, "%s/epconform-%d", cgroup_roots[i], own_pid());
		if (CALL(mkdirat, AT_FDCWD, path, 0700) < 0)
			break;
		return (int)OK(CALL(
			openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0));
	}
	conf_skip("no cgroup of version 2 for us");
}

static void cgroup_remove(void)
{
	char path[80];
	int i;

	for (i = 0; i < 2; i++) {
		struct text t = TEXT_ON(path);

		text_put(&t, "%s/epconform-%d", cgroup_roots[i], own_pid());
		CALL(unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
	}
}

/* Lives in the cgroup until it is told to end. */
static void live_in(void *arg)
{
	int *dir = arg;
	int fd = (int)OK(CALL(openat, *dir, "cgroup.procs", O_WRONLY, 0));

	IS(CALL(write, fd, "0", 1), 1);
	flag_wait(0);
}

static void read_again(int fd)
{
	char text[256];

	OK(CALL(lseek, fd, 0, SEEK_SET));
	HOLDS(CALL(read, fd, text, sizeof(text)) > 0);
}

CASE(f11_cgroup_events_kept_until_read, .level = 4, .covers = "F11 D04",
	.calls = "openat read lseek epoll_wait clone",
	.ref = "fs/kernfs/file.c: kernfs_generic_poll",
	.breaks = "systemd, container managers")
{
	int dir = cgroup_new(), ep = ep_new(), pid;
	int fd = (int)CALL(openat, dir, "cgroup.events", O_RDONLY, 0);

	if (fd < 0)
		conf_skip("no cgroup.events");
	read_again(fd);
	OK(ep_add(ep, fd, EPOLLPRI, 1));
	NONE(ep);
	pid = child_start(live_in, &dir);
	COMES(ep, {EPOLLPRI | EPOLLERR, 1});
	NOW(ep, {EPOLLPRI | EPOLLERR, 1});
	read_again(fd);
	NONE(ep);
	flag_set(0);
	COMES(ep, {EPOLLPRI | EPOLLERR, 1});
	read_again(fd);
	IS(child_join(pid), 0);
	cgroup_remove();
}

CASE(f11_cgroup_pressure, .level = 4, .covers = "F11",
	.calls = "openat write epoll_wait", .ref = PSI_REF,
	.breaks = "systemd, container managers")
{
	static const char trigger[] = "some 1000 2000000";
	int dir = cgroup_new(), ep = ep_new();
	int fd = (int)CALL(openat, dir, "cpu.pressure", O_RDWR | O_NONBLOCK, 0);
	long rc = fd < 0 ? fd : CALL(write, fd, trigger, sizeof(trigger));

	if (rc < 0)
		cgroup_remove();
	if (rc < 0)
		conf_skip("no trigger of a cgroup's pressure for us");
	OK(ep_add(ep, fd, EPOLLPRI, 1));
	NONE(ep);
	cgroup_remove();
	/* Its end is told, and lasts. */
	COMES(ep, {EPOLLPRI | EPOLLERR, 1});
	NOW(ep, {EPOLLPRI | EPOLLERR, 1});
}

/* ---- message queues ---- */

CASE(f11_message_queue, .level = 4, .covers = "F11 D04 D05",
	.calls = "mq_open mq_timedsend mq_timedreceive epoll_wait",
	.ref = "ipc/mqueue.c: mqueue_poll_file",
	.breaks = "programs with POSIX message queues")
{
	struct {
		long flags, maxmsg, msgsize, curmsgs, pad[4];
	} attr = {.maxmsg = 2, .msgsize = 8};
	char name[32], b[8];
	struct text t = TEXT_ON(name);
	int ep = ep_new(), i;
	long q;

	text_put(&t, "epconform-%d", own_pid());
	q = CALL(mq_open, name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
	if (q < 0)
		conf_skip("no message queue for us");
	OK(CALL(mq_unlink, name));
	OK(ep_add(ep, (int)q, EPOLLIN, 1));
	NONE(ep);
	for (i = 0; i < 2; i++) {
		OK(CALL(mq_timedsend, q, "x", 1, 0, NULL));
		COMES(ep, {EPOLLIN, 1});
		NOW(ep, {EPOLLIN, 1});
		IS(CALL(mq_timedreceive, q, b, sizeof(b), NULL, NULL), 1);
		NONE(ep);
	}
	OK(CALL(mq_timedsend, q, "x", 1, 0, NULL));
	IS(CALL(mq_timedreceive, q, b, sizeof(b), NULL, NULL), 1);
	NONE(ep);
	OK(ep_mod(ep, (int)q, EPOLLIN | EPOLLOUT | EPOLLET, 2));
	NOW(ep, {EPOLLOUT, 2});
	OK(CALL(mq_timedsend, q, "x", 1, 0, NULL));
	COMES(ep, {EPOLLIN | EPOLLOUT, 2});
	NONE(ep);
}

/* ---- /proc ---- */

/* Writes a name to the file with that path. */
static void set_name(void *arg)
{
	static const char name[] = "here";
	int fd = (int)OK(CALL(openat, AT_FDCWD, arg, O_WRONLY, 0));

	IS(CALL(write, fd, name, 4), 4);
}

/* A change of the name is told once to who polls, and never as EPOLLOUT. */
static void name_changes(const char *path)
{
	int ep = ep_new(), fd, i;

	if (CALL(unshare, CLONE_NEWUTS) < 0)
		conf_skip("no names of its own for us");
	fd = (int)CALL(openat, AT_FDCWD, path, O_RDONLY, 0);
	if (fd < 0)
		conf_skip("no such file");
	/* A change of any such name is told to all: one copy at a time. */
	CALL(flock, fd, LOCK_EX);
	OK(ep_add(ep, fd, EPOLLPRI, 1));
	NONE(ep);
	for (i = 0; i < 2; i++) {
		struct waiter *w = WAITER(ep);

		IS(child_join(child_start(set_name, (void *)path)), 0);
		WAITER_GOT(w, EPOLLPRI | EPOLLERR, 1);
		NONE(ep);
	}
	/* One that has changed is not ready for writing. */
	OK(ep_mod(ep, fd, EPOLLIN | EPOLLOUT | EPOLLPRI, 2));
	NOW(ep, {EPOLLIN | EPOLLOUT, 2});
	IS(child_join(child_start(set_name, (void *)path)), 0);
	NOW(ep, {EPOLLIN | EPOLLPRI | EPOLLERR, 2});
	NOW(ep, {EPOLLIN | EPOLLOUT, 2});
}

CASE(f11_host_name_once, .level = 4, .covers = "F11 D05",
	.calls = "unshare openat flock write epoll_wait clone",
	.ref = "fs/proc/proc_sysctl.c: proc_sys_poll",
	.breaks = "systemd, systemd-resolved, avahi")
{
	name_changes("/proc/sys/kernel/hostname");
}

CASE(f11_domain_name_once, .level = 4, .covers = "F11 D05",
	.calls = "unshare openat flock write epoll_wait clone",
	.ref = "fs/proc/proc_sysctl.c: proc_sys_poll", .breaks = "none known")
{
	name_changes("/proc/sys/kernel/domainname");
}

/* An attribute counts as changed until it is read, whoever polls it. */
CASE(f11_attribute_until_read, .level = 4, .covers = "F11 D04",
	.calls = "openat read epoll_wait",
	.ref = "fs/kernfs/file.c: kernfs_generic_poll",
	.breaks = "mdadm, udisks, GPIO by sysfs")
{
	int ep = ep_new(), again = ep_new();
	int fd = (int)CALL(
		openat, AT_FDCWD, "/sys/kernel/uevent_seqnum", O_RDONLY, 0);
	char text[32];

	if (fd < 0)
		conf_skip("no /sys/kernel/uevent_seqnum");
	OK(ep_add(ep, fd, EPOLLIN | EPOLLPRI, 1));
	OK(ep_add(again, fd, EPOLLPRI | EPOLLET, 2));
	NOW(ep, {EPOLLIN | EPOLLPRI | EPOLLERR, 1});
	NOW(ep, {EPOLLIN | EPOLLPRI | EPOLLERR, 1});
	NOW(again, {EPOLLPRI | EPOLLERR, 2});
	NONE(again);
	OK(CALL(read, fd, text, sizeof(text)));
	NOW(ep, {EPOLLIN, 1});
	NONE(again);
}

CASE(f11_always_ready, .level = 4, .covers = "F11 D04",
	.calls = "openat flock epoll_wait",
	.ref = "fs/proc_namespace.c: mounts_poll; mm/swapfile.c: swaps_poll; "
	       "fs/proc/proc_sysctl.c: proc_sys_poll; drivers/md/md.c: "
	       "mdstat_poll",
	.breaks = "udisks, libmount")
{
	static const char *const paths[] = {"/proc/self/mountinfo",
		"/proc/swaps", "/proc/mdstat", "/proc/sys/kernel/ostype",
		"/proc/sys/kernel/domainname"};
	int ep = ep_new(), found = 0;
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		long fd = CALL(openat, AT_FDCWD, paths[i], O_RDONLY, 0);
		uint32_t mask = EPOLLIN | EPOLLPRI;

		if (fd < 0)
			continue;
		found++;
		/* Nobody changes a name meanwhile, see name_changes(). */
		CALL(flock, (int)fd, LOCK_SH);
		OK(ep_add(ep, (int)fd, mask, i));
		NOW(ep, {EPOLLIN, i});
		NOW(ep, {EPOLLIN, i});
		OK(ep_mod(ep, (int)fd, mask | EPOLLET, i));
		NOW(ep, {EPOLLIN, i});
		NONE(ep);
		OK(sys_close((int)fd));
	}
	if (!found)
		conf_skip("none of these files");
}

CASE(f11_mounts_two_epolls, .level = 4, .covers = "F11 L03",
	.calls = "unshare mount epoll_wait",
	.ref = "fs/proc_namespace.c: mounts_poll", .breaks = "systemd, udisks")
{
	int a = ep_new(), b = ep_new(), fd, i;

	if (CALL(unshare, CLONE_NEWNS) < 0)
		conf_skip("no mount namespace for us");
	if (CALL(mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		conf_skip("the root here is no mount of its own");
	fd = (int)CALL(openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY, 0);
	if (fd < 0)
		conf_skip("no /proc/self/mountinfo");
	OK(ep_add(a, fd, EPOLLPRI | EPOLLET, 1));
	OK(ep_add(b, fd, EPOLLPRI | EPOLLET, 2));
	for (i = 0; i < 4; i++) {
		OK(CALL(mount, "t", "/dev", "tmpfs", 0, NULL));
		COMES(i & 1 ? a : b, {EPOLLPRI | EPOLLERR, i & 1 ? 1 : 2});
		NONE(a);
		NONE(b);
	}
}

/* ---- the kernel's log, and traces ---- */

CASE(f11_kernel_log, .level = 4, .covers = "F11 D04",
	.calls = "openat write read epoll_wait",
	.ref = "kernel/printk/printk.c: devkmsg_poll",
	.breaks = "journald, syslog daemons")
{
	long fd = CALL(openat, AT_FDCWD, "/dev/kmsg", O_RDWR | O_NONBLOCK, 0);
	int ep = ep_new();

	if (fd < 0)
		conf_skip("no /dev/kmsg for us");
	OK(CALL(lseek, fd, 0, SEEK_END));
	OK(ep_add(ep, (int)fd, EPOLLIN, 1));
	if (CALL(write, fd, "<7>epconform: a line\n", 21) < 0)
		conf_skip("no line in the kernel's log for us");
	COMES(ep, {EPOLLIN, 1});
	NOW(ep, {EPOLLIN, 1});
	while (take((int)fd, 8192) > 0)
		;
	NONE(ep);
}

CASE(f11_trace_pipe, .level = 4, .covers = "F11 D04",
	.calls = "unshare mount flock mkdirat write read epoll_wait",
	.ref = "kernel/trace/trace.c: tracing_poll_pipe",
	.breaks = "trace-cmd, tracing daemons")
{
	static const char dir[] = "/dev/instances/epconform";
	int ep = ep_new(), fd, marker, lock;

	if (CALL(unshare, CLONE_NEWNS) < 0)
		conf_skip("no mount namespace for us");
	if (CALL(mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		conf_skip("the root here is no mount of its own");
	if (CALL(mount, "t", "/dev", "tracefs", 0, NULL) < 0)
		conf_skip("the kernel has no tracefs for us");
	lock = (int)CALL(openat, AT_FDCWD, "/dev/instances", O_RDONLY, 0);
	if (lock < 0)
		conf_skip("the kernel has no instances of tracefs");
	/* All copies see one tracefs; a copy that was killed left its own. */
	OK(CALL(flock, lock, LOCK_EX));
	CALL(unlinkat, AT_FDCWD, dir, AT_REMOVEDIR);
	if (CALL(mkdirat, AT_FDCWD, dir, 0700) < 0)
		conf_skip("no instance of tracefs for us");
	OK(CALL(chdir, dir));
	fd = (int)OK(
		CALL(openat, AT_FDCWD, "trace_pipe", O_RDONLY | O_NONBLOCK, 0));
	marker = (int)OK(CALL(openat, AT_FDCWD, "trace_marker", O_WRONLY, 0));
	OK(ep_add(ep, fd, EPOLLIN, 1));
	NONE(ep);
	IS(CALL(write, marker, "a\n", 2), 2);
	COMES(ep, {EPOLLIN, 1});
	NOW(ep, {EPOLLIN, 1});
	HOLDS(take(fd, 4096) > 0);
	NONE(ep);
	sys_close(fd);
	sys_close(marker);
	OK(CALL(unlinkat, AT_FDCWD, dir, AT_REMOVEDIR));
}
