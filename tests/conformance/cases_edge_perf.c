/* SPDX-License-Identifier: MIT */
/*
 * Perf events: a poll takes their event away (kernel/events/core.c). Where
 * they are kept for others the cases are skipped.
 */
#include "conf.h"
#include <sys/mman.h>

#define PERF_REF "kernel/events/core.c: perf_poll"

/* struct perf_event_attr, PERF_ATTR_SIZE_VER0; not every libc has its header */
struct perf_attr {
	uint32_t type;
	uint32_t size;
	uint64_t config;
	uint64_t sample_period;
	uint64_t sample_type;
	uint64_t read_format;
	uint64_t flags;
	uint32_t wakeup;
	uint32_t bp_type;
	uint64_t bp_addr;
};

#define EXCLUDE_KERNEL (1u << 5)
#define RECORD_MMAP (1u << 8)
#define WATERMARK (1u << 14)

/* struct perf_event_mmap_page, in words */
#define DATA_HEAD 128
#define DATA_TAIL 129

struct perf {
	int fd;
	volatile uint64_t *ring; /* its first page is about the rest */
};

/* On a thread; each executable mapping that it makes wakes the pollers. */
static struct perf perf_new(int tid)
{
	struct perf_attr attr = {
		.type = 1, /* PERF_TYPE_SOFTWARE */
		.size = sizeof(attr),
		.config = 9, /* PERF_COUNT_SW_DUMMY */
		.sample_period = 1,
		.flags = EXCLUDE_KERNEL | RECORD_MMAP | WATERMARK,
		.wakeup = 1,
	};
	struct perf perf = {
		.fd = (int)CALL(perf_event_open, &attr, tid, -1, -1, 0)};

	if (perf.fd < 0)
		conf_skip("no perf events for us");
	return perf;
}

static struct perf perf_mapped(int tid)
{
	struct perf perf = perf_new(tid);
	long at = CALL(mmap, NULL, 9 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
		perf.fd, 0);

	if (at < 0 && at > -4096)
		conf_skip("no ring of a perf event for us");
	perf.ring = (void *)at;
	return perf;
}

/* One record; what was there before is read. */
static void perf_make(struct perf *perf)
{
	long at;

	perf->ring[DATA_TAIL] = perf->ring[DATA_HEAD];
	at = OK(CALL(mmap, NULL, 4096, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	OK(CALL(munmap, at, 4096));
	if (perf->ring[DATA_TAIL] == perf->ring[DATA_HEAD])
		conf_skip("perf events record no mappings here");
}

CASE(f11_perf_each_wakeup_once, .level = 4, .covers = "F11 D05",
	.calls = "perf_event_open mmap epoll_wait", .ref = PERF_REF,
	.breaks = "bpftrace, perf, libbpf's perf buffers")
{
	static const uint32_t masks[] = {
		EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLEXCLUSIVE};
	struct perf perf = perf_mapped(0);
	int i, n;

	for (n = 0; n < 3; n++) {
		int ep = ep_new();

		OK(ep_add(ep, perf.fd, masks[n], 1));
		NONE(ep);
		for (i = 0; i < 3; i++) {
			perf_make(&perf);
			COMES(ep, {EPOLLIN, 1});
			NONE(ep);
		}
		OK(sys_close(ep));
	}
}

static void map_beside_the_wait(void *arg)
{
	int *parent = arg, i;

	for (i = 0; i < 3; i++) {
		asleep_in(*parent, NR_EPOLL_WAIT);
		OK(CALL(mmap, NULL, 4096, PROT_READ | PROT_EXEC,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		flag_wait(i);
	}
}

CASE(f11_perf_wakes_the_wait, .level = 4, .covers = "F11 T01",
	.calls = "perf_event_open mmap epoll_wait clone", .ref = PERF_REF,
	.breaks = "bpftrace, perf, libbpf's perf buffers")
{
	int ep = ep_new(), self = own_pid(), i;
	struct perf perf = perf_mapped(child_start(map_beside_the_wait, &self));

	OK(ep_add(ep, perf.fd, EPOLLIN, 1));
	for (i = 0; i < 3; i++) {
		COMES(ep, {EPOLLIN, 1});
		NONE(ep);
		flag_set(i);
	}
}

CASE(f11_perf_wakes_a_poll, .level = 4, .covers = "F11 C07",
	.calls = "perf_event_open mmap ppoll", .ref = PERF_REF,
	.breaks = "profilers whose loop is in another loop")
{
	struct perf perf = perf_mapped(0);
	int ep = ep_new(), revents;

	OK(ep_add(ep, perf.fd, EPOLLIN, 1));
	IS(polled(ep, EPOLLIN), 0);
	perf_make(&perf);
	IS(sys_poll(ep, EPOLLIN, &revents, SOON), 1);
	IS(revents, EPOLLIN);
}

CASE(f11_perf_two_epolls, .level = 4, .covers = "F11 L03",
	.calls = "perf_event_open mmap epoll_wait", .ref = PERF_REF,
	.breaks = "profilers that hand an event to another loop")
{
	struct perf perf = perf_mapped(0);
	int a = ep_new(), b = ep_new(), i;

	OK(ep_add(a, perf.fd, EPOLLIN, 1));
	OK(ep_add(b, perf.fd, EPOLLIN, 2));
	for (i = 0; i < 4; i++) {
		/* Whoever asks first has it. */
		perf_make(&perf);
		COMES(i & 1 ? a : b, {EPOLLIN, i & 1 ? 1 : 2});
		NONE(a);
		NONE(b);
	}
}

CASE(f11_perf_ctl_takes, .level = 4, .covers = "F11 A03",
	.calls = "perf_event_open mmap epoll_ctl epoll_wait",
	.ref = "fs/eventpoll.c: ep_insert, ep_modify; " PERF_REF,
	.breaks = "nothing known: the poll of ADD and MOD takes the event")
{
	struct perf perf = perf_mapped(0);
	int ep = ep_new();

	perf_make(&perf);
	OK(ep_add(ep, perf.fd, EPOLLIN, 1));
	NONE(ep);
	perf_make(&perf);
	OK(ep_mod(ep, perf.fd, EPOLLIN, 2));
	NONE(ep);
	perf_make(&perf);
	IS(ep_add(ep, perf.fd, EPOLLIN, 1), -EEXIST);
	IS(ep_del(ep_new(), perf.fd), -ENOENT);
	COMES(ep, {EPOLLIN, 2});
}

CASE(f11_perf_many_rings, .level = 4, .covers = "F11 D10",
	.calls = "perf_event_open mmap epoll_wait",
	.ref = "fs/eventpoll.c: ep_send_events; " PERF_REF,
	.breaks = "bpftrace with a ring for each processor")
{
	enum { RINGS = 4 };
	struct perf perf[RINGS];
	int ep = ep_new(), i;

	for (i = 0; i < RINGS; i++) {
		perf[i] = perf_mapped(0);
		OK(ep_add(ep, perf[i].fd, EPOLLIN, (uint64_t)i));
	}
	perf_make(&perf[0]);
	/* One of the mappings wakes all rings. */
	for (i = 0; i < RINGS; i++) {
		struct ep_event e;

		IS(sys_epoll_wait(ep, &e, 1, SOON), 1);
		IS(e.events, EPOLLIN);
	}
	NONE(ep);
}

CASE(f11_perf_read_leaves_the_event, .level = 4, .covers = "F11",
	.calls = "perf_event_open mmap read poll epoll_wait", .ref = PERF_REF,
	.breaks = "profilers that read counters beside their rings")
{
	struct perf perf = perf_mapped(0);
	uint64_t count;
	int revents, ep;

	perf_make(&perf);
	IS(CALL(read, perf.fd, &count, 8), 8);
	IS(sys_poll(perf.fd, EPOLLIN, &revents, 0), 1);
	ep = ep_new();
	OK(ep_add(ep, perf.fd, EPOLLIN, 1));
	NONE(ep);
	perf_make(&perf);
	IS(CALL(read, perf.fd, &count, 8), 8);
	NOW(ep, {EPOLLIN, 1});
}

CASE(f11_perf_without_ring, .level = 4, .covers = "F11 A08",
	.calls = "perf_event_open epoll_wait", .ref = PERF_REF,
	.breaks = "profilers that close their rings first")
{
	struct perf perf = perf_new(0);
	int ep = ep_new();

	OK(ep_add(ep, perf.fd, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLHUP, 1});
	NONE(ep);
}

static void end_when_told(void *arg)
{
	(void)arg;
	flag_wait(0);
}

CASE(f11_perf_end_of_process, .level = 4, .covers = "F11 A08",
	.calls = "perf_event_open mmap clone epoll_wait",
	.ref = "kernel/events/core.c: perf_event_exit_event",
	.breaks = "perf record on a program that ends")
{
	int ep = ep_new(), pid = child_start(end_when_told, NULL);
	struct perf perf = perf_mapped(pid);
	struct ep_event more;

	OK(ep_add(ep, perf.fd, EPOLLIN | EPOLLET, 1));
	NONE(ep);
	flag_set(0);
	/* The record of the end wakes first, and can be seen by itself. */
	UNTIL(ep, EPOLLHUP, 1);
	IS(child_join(pid), 0);
	/*
	 * The end itself wakes after it can be seen. Who looked in between, for
	 * the record's wake-up, has one more.
	 */
	if (OK(sys_epoll_wait(ep, &more, 1, 0)) == 1)
		IS(more.events, EPOLLHUP);
	NONE(ep);
}
