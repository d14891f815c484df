/* SPDX-License-Identifier: MIT */
/*
 * Memory that is a file of a file system that a program serves (FUSE): a page
 * comes when that program, here a child of ours, has answered a request, and it
 * needs answers of the emulation before it does.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define FILE_PATH "/tmp/file"
#define PAGE 4096u
#define PAGES 4096u
#define REQUEST_MAX (256u << 10)

static int device;
static int file_fd;
static pid_t server;
static struct {
	atomic_long reads; /* requests for pages */
	atomic_bool silent; /* they are not answered */
	atomic_bool asked; /* and there was one */
} * shared;

static void reply(uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size),
		.error = error,
		.unique = unique,
	};
	struct iovec parts[2] = {
		{&out, sizeof(out)}, {(void *)(uintptr_t)data, size}};

	/* Who asked may have been killed. */
	if (writev(device, parts, 2) < 0)
		must(errno == ENOENT, "reply: %s", strerror(errno));
}

static void reply_init(uint64_t unique, const struct fuse_init_in *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = in->minor < 31 ? in->minor : 31,
		.max_write = 65536,
	};

	reply(unique, 0, &out, sizeof(out));
}

static void reply_attributes(uint64_t unique)
{
	struct fuse_attr_out out = {
		.attr_valid = 3600,
		.attr = {.ino = 1,
			.size = PAGES * PAGE,
			.mode = S_IFREG | 0600,
			.nlink = 1},
	};

	reply(unique, 0, &out, sizeof(out));
}

/* All pages are of zeroes. */
static void reply_read(uint64_t unique, uint32_t size)
{
	static const char zeroes[REQUEST_MAX];

	shared->reads++;
	while (shared->silent) {
		shared->asked = true;
		pause();
	}
	stress_sleep_us(300);
	reply(unique, 0, zeroes, size < REQUEST_MAX ? size : REQUEST_MAX);
}

static void answer(const struct fuse_in_header *in)
{
	const void *body = in + 1;
	struct fuse_open_out opened = {.fh = 1};
	struct fuse_write_out written = {0};

	switch (in->opcode) {
	case FUSE_INIT:
		reply_init(in->unique, body);
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		reply_attributes(in->unique);
		break;
	case FUSE_OPEN:
		reply(in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		reply_read(
			in->unique, ((const struct fuse_read_in *)body)->size);
		break;
	case FUSE_WRITE:
		written.size = ((const struct fuse_write_in *)body)->size;
		reply(in->unique, 0, &written, sizeof(written));
		break;
	case FUSE_FLUSH:
	case FUSE_RELEASE:
	case FUSE_FSYNC:
		reply(in->unique, 0, NULL, 0);
		break;
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		break; /* have no reply */
	default:
		reply(in->unique, -ENOSYS, NULL, 0);
	}
}

/* Answers each request, with an epoll and an eventfd of its own on the way. */
_Noreturn static void serve(void)
{
	static char request[REQUEST_MAX];
	int ep = x_epoll();
	int efd = x_eventfd(0, 0);

	x_add(ep, device, EPOLLIN, 7);
	for (;;) {
		must(x_wait1(ep, -1, NULL) == 7, "another file");
		if (read(device, request, sizeof(request)) <= 0)
			continue; /* it was withdrawn */
		x_put(efd, 3);
		must(x_take(efd) == 3, "wrong count");
		answer((const struct fuse_in_header *)request);
	}
}

/*
 * A file system that is one file, in a mount namespace of our own. There,
 * /tmp is a file system in memory, so nothing is left behind.
 */
static void mount_file(void)
{
	char options[128];
	int fd;

	if (unshare(CLONE_NEWNS) < 0)
		stress_skip("this user may not mount");
	good(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	device = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (device < 0)
		stress_skip("the kernel has no FUSE");
	good(mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
	fd = (int)good(open(FILE_PATH, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	x_close(fd);
	snprintf(options, sizeof(options),
		"fd=%d,rootmode=100000,user_id=%u,group_id=%u", device,
		geteuid(), getegid());
	good(mount("served", FILE_PATH, "fuse", 0, options));
}

static char *map(int flags)
{
	char *area = mmap(
		NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, flags, file_fd, 0);

	must(area != MAP_FAILED, "mmap: %s", strerror(errno));
	/* One page at each request. */
	good(madvise(area, PAGES * PAGE, MADV_RANDOM));
	return area;
}

static void open_file(void)
{
	struct stat st;

	shared = stress_shared(sizeof(*shared));
	mount_file();
	server = stress_fork();
	if (server == 0)
		serve();
	x_close(device);
	file_fd = (int)good(open(FILE_PATH, O_RDWR | O_CLOEXEC));
	good(fstat(file_fd, &st));
	must(st.st_size == PAGES * PAGE, "another file");
}

/* The page has to be brought again. */
static void drop(char *page)
{
	good(fsync(file_fd));
	good(madvise(page, PAGE, MADV_DONTNEED));
	must(posix_fadvise(file_fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
}

/* What is there already: into pages that are copied, and that are shared. */
static void ready_in(int flags, long count)
{
	int ep = x_epoll(), efd = x_eventfd(1, 0);
	char *area = map(flags);
	long before = shared->reads, brought;

	x_add(ep, efd, EPOLLIN, 5);
	for (long i = 0; i < count; i++) {
		struct epoll_event *events = (void *)(area + i * PAGE);

		must(epoll_wait(ep, events, 4, -1) == 1 &&
				events->data.u64 == 5,
			"wait: %s", strerror(errno));
	}
	brought = shared->reads - before;
	must(brought >= count, "%ld pages were brought", brought);
	good(munmap(area, PAGES * PAGE));
	must(posix_fadvise(file_fd, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
}

static void ready(void)
{
	long count = stress_count(100);

	must(count < PAGES, "too many");
	open_file();
	ready_in(MAP_PRIVATE, count);
	ready_in(MAP_SHARED, count);
	stress_ok("%ld waits", 2 * count);
}

/* Arguments that are read, and eventfds that are read to and written from. */
static void arguments(void)
{
	long count = stress_count(50);
	int ep = x_epoll(), efd = x_eventfd(0, 0);
	struct epoll_event event;
	char *page;

	open_file();
	page = map(MAP_PRIVATE);
	x_add(ep, efd, 0, 5);
	for (long i = 0; i < count; i++) {
		drop(page);
		good(epoll_ctl(ep, EPOLL_CTL_MOD, efd, (void *)page));
		x_put(efd, 1);
		drop(page);
		must(read(efd, page, 8) == 8, "read: %s", strerror(errno));
		must(*page == 1, "wrong count");
		drop(page);
		must(write(efd, page, 8) == 8, "write: %s", strerror(errno));
		drop(page);
		/* Of zeroes: no wait at all, no signal let in. */
		must(syscall(SYS_epoll_pwait2, ep, &event, 1, page, page + 64,
			     sizeof(uint64_t)) == 0,
			"pwait2: %s", strerror(errno));
	}
	must(shared->reads >= 4 * count, "%ld pages were brought",
		(long)shared->reads);
	stress_ok("%ld rounds", count);
}

/* Both the time and the room for the events have to be brought. */
static void both(void)
{
	long count = stress_count(50);
	int ep = x_epoll(), efd = x_eventfd(1, 0);
	char *area;

	open_file();
	area = map(MAP_PRIVATE);
	x_add(ep, efd, EPOLLIN, 5);
	for (long i = 0; i < count; i++) {
		drop(area);
		drop(area + PAGE);
		must(syscall(SYS_epoll_pwait2, ep, area, 4, area + PAGE, NULL,
			     0) == 1 &&
				((struct epoll_event *)area)->data.u64 == 5,
			"wait: %s", strerror(errno));
	}
	stress_ok("%ld waits", count);
}

/* The page was there when the call began, and has gone when it ends. */
static void gone_meanwhile(void)
{
	long count = stress_count(30);

	open_file();
	stress_page_goes(map(MAP_SHARED), drop, count);
	stress_ok("%ld calls", count);
}

/* The server does not answer, and dies: who waits does, the others go on. */
static void never(void)
{
	pid_t child;

	open_file();
	child = stress_fork();
	if (child == 0) {
		int ep = x_epoll(), efd = x_eventfd(1, 0);
		char *page = map(MAP_SHARED);

		x_add(ep, efd, EPOLLIN, 5);
		bad(EFAULT, epoll_wait(ep, (void *)page, 4, -1));
		_exit(0);
	}
	shared->silent = true;
	while (!shared->asked)
		stress_sleep_us(1000);
	for (int i = 0; i < 20; i++)
		stress_plain_calls();
	stress_kill(server);
	stress_join(child);
	stress_basic_calls();
	stress_ok("the others went on");
}

static const struct stress_case cases[] = {
	{"ready", ready},
	{"arguments", arguments},
	{"both", both},
	{"gone-meanwhile", gone_meanwhile},
	{"never", never},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
