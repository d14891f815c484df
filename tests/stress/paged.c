/* SPDX-License-Identifier: MIT */
/*
 * Memory whose pages a thread of the program brings (userfaultfd(2)), and
 * which needs answers of the emulation before it does.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE 4096u
#define MANY 40u

/* Linux 6.1 */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

static int faults_fd;
static char *area;
static long pages;
static atomic_long brought;

static int open_faults(void)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	int device;

	if (fd >= 0)
		return (int)fd;
	device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	if (device < 0)
		stress_skip("no userfaultfd for this user");
	return (int)good(
		ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK));
}

/* Brings each page, with an epoll and an eventfd of its own on the way. */
static void *serve(void *unused)
{
	static char page[PAGE];
	int ep = x_epoll();
	int efd = x_eventfd(0, 0);

	x_add(ep, faults_fd, EPOLLIN, 7);
	for (;;) {
		struct uffd_msg msg;

		must(x_wait1(ep, -1, NULL) == 7, "another file");
		if (read(faults_fd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		x_put(efd, 3);
		must(x_take(efd) == 3, "wrong count");
		stress_sleep_us(500);
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & ~(PAGE - 1ull),
			.src = (uintptr_t)page,
			.len = PAGE,
		};

		/* Counted first: the copy wakes who waits for the page. */
		brought++;
		if (ioctl(faults_fd, UFFDIO_COPY, &copy) < 0)
			must(errno == EEXIST, "copy: %s", strerror(errno));
	}
	return unused;
}

static void set_up(long count)
{
	struct uffdio_api api = {.api = UFFD_API};
	pthread_t thread;

	faults_fd = open_faults();
	good(ioctl(faults_fd, UFFDIO_API, &api));
	pages = count;
	area = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = {
		.range = {(uintptr_t)area, (size_t)pages * PAGE},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	good(ioctl(faults_fd, UFFDIO_REGISTER, &reg));
	must(pthread_create(&thread, NULL, serve, NULL) == 0, "thread");
}

/* The next page, which nobody has brought. */
static void *fresh(void)
{
	static long next;

	must(next < pages, "out of pages");
	return area + (size_t)next++ * PAGE;
}

/* What is there already: the wait is answered when the page is. */
static void ready(void)
{
	long count = stress_count(100);
	int ep = x_epoll(), efd = x_eventfd(1, 0);

	set_up(count);
	x_add(ep, efd, EPOLLIN, 5);
	for (long i = 0; i < count; i++) {
		struct epoll_event *events = fresh();

		must(epoll_wait(ep, events, 4, -1) == 1 &&
				events->data.u64 == 5,
			"wait: %s", strerror(errno));
	}
	must(brought == count, "%ld pages were brought", (long)brought);
	stress_ok("%ld waits", count);
}

/* What comes later, with and without a deadline; and nothing. */
static void later(void)
{
	long count = stress_count(50);
	int ep = x_epoll(), efd = x_eventfd(0, 0);
	pid_t writer;

	set_up(2 * count);
	x_add(ep, efd, EPOLLIN, 5);
	writer = stress_fork();
	if (writer == 0) {
		for (long i = 0; i < count; i++) {
			stress_sleep_us(1500);
			x_put(efd, 1);
			while (eventfd_write(efd, UINT64_MAX - 1) < 0)
				;
		}
		_exit(0);
	}
	for (long i = 0; i < count; i++) {
		struct epoll_event *events = fresh();
		uint64_t value;

		must(epoll_wait(ep, events, 4, -1) == 1 &&
				events->data.u64 == 5,
			"wait: %s", strerror(errno));
		value = x_take(efd);
		must(value > 0, "no value");
	}
	stress_kill(writer);
	while (epoll_wait(ep, fresh(), 4, 0) == 1)
		x_take(efd);
	for (long i = 0; i < 3; i++)
		must(epoll_wait(ep, fresh(), 4, 5) == 0, "nothing was there");
	stress_ok("%ld waits", count);
}

/* Arguments that are read, and eventfds that are read to and written from. */
static void arguments(void)
{
	long count = stress_count(30);
	int ep = x_epoll(), efd = x_eventfd(0, 0);
	struct epoll_event event;

	set_up(5 * count);
	x_add(ep, efd, 0, 5);
	for (long i = 0; i < count; i++) {
		good(epoll_ctl(ep, EPOLL_CTL_MOD, efd, fresh()));
		x_put(efd, 1);
		must(read(efd, fresh(), 8) == 8, "read: %s", strerror(errno));
		/* A page of zeroes: no wait at all, no signal let in. */
		must(syscall(SYS_epoll_pwait2, ep, &event, 1, fresh(), fresh(),
			     sizeof(uint64_t)) == 0,
			"pwait2: %s", strerror(errno));
		must(write(efd, fresh(), 8) == 8, "write: %s", strerror(errno));
	}
	stress_ok("%ld rounds", count);
}

static atomic_int handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

/*
 * A signal while the page is brought. Of an event and a signal that come
 * together the signal may win under the emulation; nothing is lost.
 */
static void interrupted(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	long count = stress_count(100), cut = 0;
	int ep = x_epoll(), efd = x_eventfd(1, 0);
	pid_t self = getpid(), tid = stress_gettid(), hitter;

	good(sigaction(SIGUSR1, &sa, NULL));
	set_up(count);
	x_add(ep, efd, EPOLLIN, 5);
	hitter = stress_fork();
	if (hitter == 0) {
		for (;;) {
			stress_sleep_us(300);
			syscall(SYS_tgkill, self, tid, SIGUSR1);
		}
	}
	for (long i = 0; i < count; i++) {
		struct epoll_event *events = fresh();
		int n;

		while ((n = epoll_wait(ep, events, 4, -1)) < 0) {
			must(errno == EINTR, "wait: %s", strerror(errno));
			cut++;
		}
		must(n == 1 && events->data.u64 == 5, "%d events", n);
	}
	stress_kill(hitter);
	must(cut == 0 || stress.emulated,
		"%ld waits with an event failed with EINTR", cut);
	stress_ok("%ld waits, %d signals", count, (int)handled);
}

static void drop(char *page)
{
	good(madvise(page, PAGE, MADV_DONTNEED));
}

/* The page was there when the call began, and has gone when it ends. */
static void gone_meanwhile(void)
{
	long count = stress_count(30);

	set_up(1);
	stress_page_goes(area, drop, count);
	must(brought >= count, "%ld pages were brought", (long)brought);
	stress_ok("%ld calls", count);
}

/* Nobody ever brings the page: who waits can be killed, the others go on. */
static void never(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	pid_t child;

	child = stress_fork();
	if (child == 0) {
		int ep = x_epoll(), efd = x_eventfd(1, 0);

		faults_fd = open_faults();
		good(ioctl(faults_fd, UFFDIO_API, &api));
		area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		struct uffdio_register reg = {
			.range = {(uintptr_t)area, PAGE},
			.mode = UFFDIO_REGISTER_MODE_MISSING,
		};

		good(ioctl(faults_fd, UFFDIO_REGISTER, &reg));
		x_add(ep, efd, EPOLLIN, 5);
		epoll_wait(ep, (void *)area, 4, -1);
		_exit(1);
	}
	stress_wait_blocked(child, NR_WAIT, SYS_epoll_pwait);
	for (int i = 0; i < 20; i++)
		stress_plain_calls();
	stress_kill(child);
	stress_basic_calls();
	stress_ok("the others went on");
}

/* Registers the area; `features` of the descriptor. */
static void register_area(uint64_t features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = features};
	struct uffdio_register reg = {
		.range = {(uintptr_t)area, PAGE},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	faults_fd = open_faults();
	good(ioctl(faults_fd, UFFDIO_API, &api));
	good(ioctl(faults_fd, UFFDIO_REGISTER, &reg));
}

static int make_and_serve(void *unused)
{
	register_area(0);
	serve(unused);
	return 1;
}

/* The maker is another process, which has its memory in common with this. */
static void of_another(void)
{
	static char stack[1 << 16] __attribute__((aligned(16)));
	int ep = x_epoll(), efd = x_eventfd(1, 0);
	pid_t maker;

	close(open_faults()); /* or skips */
	area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	maker = (pid_t)good(clone(make_and_serve, stack + sizeof(stack),
		CLONE_VM | SIGCHLD, NULL));
	stress_wait_blocked(maker, NR_WAIT, SYS_epoll_pwait);
	x_add(ep, efd, EPOLLIN, 5);
	must(epoll_wait(ep, (void *)area, 4, -1) == 1, "wait: %s",
		strerror(errno));
	must(((struct epoll_event *)area)->data.u64 == 5, "other data");
	stress_kill(maker);
	stress_ok("its pages were brought");
}

static struct {
	atomic_int fd, child;
} * told;

static void sleep_into_it(pid_t maker)
{
	int ep, efd;

	while (getppid() == maker)
		stress_sleep_us(1000);
	ep = x_epoll();
	efd = x_eventfd(1, 0);
	x_add(ep, efd, EPOLLIN, 5);
	atomic_store(&told->child, getpid());
	epoll_wait(ep, (void *)area, 4, -1);
	_exit(1);
}

/*
 * The maker has gone before its child makes a call. The descriptor is kept by
 * this process, which never brings the page: all others go on.
 */
static void of_the_dead(void)
{
	struct uffd_msg msg;
	pid_t maker, child;
	int fd, pidfd;

	close(open_faults()); /* or skips */
	told = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	area = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	maker = stress_fork();
	if (maker == 0) {
		maker = getpid();
		register_area(UFFD_FEATURE_EVENT_FORK);
		atomic_store(&told->fd, faults_fd);
		if (good(fork()) == 0)
			sleep_into_it(maker);
		_exit(0);
	}
	while (!(fd = atomic_load(&told->fd)))
		stress_sleep_us(1000);
	pidfd = (int)good(syscall(SYS_pidfd_open, maker, 0));
	fd = (int)good(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
	good(fcntl(fd, F_SETFL, 0));
	must(read(fd, &msg, sizeof(msg)) == sizeof(msg) &&
			msg.event == UFFD_EVENT_FORK,
		"no fork was told of");
	must(waitpid(maker, NULL, 0) == maker, "waitpid");
	while (!(child = atomic_load(&told->child)))
		stress_sleep_us(1000);
	stress_wait_blocked(child, NR_WAIT, SYS_epoll_pwait);
	for (int i = 0; i < 20; i++)
		stress_plain_calls();
	kill(child, SIGKILL);
	stress_ok("the others went on");
}

static int many_ep;

static void *waits_for_page(void *page)
{
	epoll_wait(many_ep, page, 4, -1);
	_exit(1);
}

/* Pages of ours, which nobody but the kernel brings. */
static void wait_into_fresh_pages(void)
{
	int ep = x_epoll(), efd = x_eventfd(1, 0);
	char *at = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	x_add(ep, efd, EPOLLIN, 5);
	for (size_t i = 0; i < MANY; i++)
		must(epoll_wait(ep, (void *)(at + i * PAGE), 4, -1) == 1,
			"wait: %s", strerror(errno));
}

/* The same for more threads than anybody has who brings pages. */
static void never_for_many(void)
{
	pid_t child;

	child = stress_fork();
	if (child == 0) {
		struct uffdio_api api = {.api = UFFD_API};
		struct uffdio_register reg = {
			.mode = UFFDIO_REGISTER_MODE_MISSING};
		int efd = x_eventfd(1, 0);
		pthread_t thread;

		many_ep = x_epoll();
		x_add(many_ep, efd, EPOLLIN, 5);
		faults_fd = open_faults();
		good(ioctl(faults_fd, UFFDIO_API, &api));
		area = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		reg.range.start = (uintptr_t)area;
		reg.range.len = MANY * PAGE;
		good(ioctl(faults_fd, UFFDIO_REGISTER, &reg));
		for (size_t i = 1; i < MANY; i++)
			pthread_create(
				&thread, NULL, waits_for_page, area + i * PAGE);
		waits_for_page(area);
	}
	stress_wait_blocked(child, NR_WAIT, SYS_epoll_pwait);
	wait_into_fresh_pages();
	stress_basic_calls();
	stress_kill(child);
	stress_basic_calls();
	stress_ok("the others went on");
}

static const struct stress_case cases[] = {
	{"ready", ready},
	{"later", later},
	{"arguments", arguments},
	{"interrupted", interrupted},
	{"gone-meanwhile", gone_meanwhile},
	{"of-another", of_another},
	{"of-the-dead", of_the_dead},
	{"never", never},
	{"never-for-many", never_for_many},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
