/* SPDX-License-Identifier: MIT */
/*
 * A 64-bit program that makes 32-bit calls, by int 0x80, for test_stats.py.
 *
 * It makes an epoll and an eventfd with 32-bit calls and has an event of them;
 * then it waits with a 32-bit call for an event of an epoll that a 64-bit call
 * made. Both waits are printed: the number of events, and their data. A kernel
 * without 32-bit calls gives ENOSYS or SIGSEGV for the first of them.
 */
#define _GNU_SOURCE
#include "../call32.h"
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* arch/x86/entry/syscalls/syscall_32.tbl */
enum { CTL_32 = 255, WAIT_32 = 256, EVENTFD2_32 = 328, CREATE1_32 = 329 };

static struct epoll_event *event; /* where a 32-bit call reaches it */

static int wait_32(int epoll)
{
	event->data.u64 = 1;
	return call32(WAIT_32, epoll, (int)(intptr_t)event, 1, -1);
}

static void put(int eventfd)
{
	uint64_t value = 1;

	if (write(eventfd, &value, sizeof(value)) != sizeof(value))
		perror("write");
}

static void print(const char *of, int count)
{
	printf("%s %d %llu\n", of, count, (unsigned long long)event->data.u64);
}

int main(void)
{
	int epoll, file;

	event = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (event == MAP_FAILED)
		return 1;
	epoll = call32(CREATE1_32, 0, 0, 0, 0);
	if (epoll == -ENOSYS)
		return 77;
	file = call32(EVENTFD2_32, 0, 0, 0, 0);
	*event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 32};
	print("added", call32(CTL_32, epoll, EPOLL_CTL_ADD, file,
			       (int)(intptr_t)event));
	put(file);
	print("own", wait_32(epoll));
	epoll = epoll_create1(0);
	file = eventfd(0, 0);
	*event = (struct epoll_event){.events = EPOLLIN, .data.u64 = 64};
	print("added", epoll_ctl(epoll, EPOLL_CTL_ADD, file, event));
	put(file);
	print("inherited", wait_32(epoll));
	return 0;
}
