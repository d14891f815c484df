/* SPDX-License-Identifier: MIT */
/*
 * What the workloads share: the clock, limits, and a look at the parent
 * process, which under epemu is the supervisor. Natively, and under strace,
 * the parent is somebody else, and the caller drops those numbers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void nap_us(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "epemu-bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

long raise_file_limit(void)
{
	struct rlimit limit;
	rlim_t most = 1 << 20;

	need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
	if (limit.rlim_max < most) { /* root may raise it */
		struct rlimit higher = {most, most};

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			return (long)most;
	}
	limit.rlim_cur = limit.rlim_max;
	need(setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
	return (long)limit.rlim_cur;
}

void epoll_add(int epoll, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = {.events = events, .data.u64 = data};

	need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

int epoll_with(int fd, uint32_t events)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	need(epoll >= 0, "epoll_create1");
	epoll_add(epoll, fd, events, (uint64_t)fd);
	return epoll;
}

static FILE *open_of_parent(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)getppid(), name);
	return fopen(path, "re");
}

long parent_heap_bytes(void)
{
	FILE *file = open_of_parent("status");
	char line[256];
	long kib = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "RssAnon: %ld", &kib) == 1)
			break;
	fclose(file);
	return kib * 1024;
}

int64_t parent_cpu_ns(void)
{
	FILE *file = open_of_parent("schedstat");
	long long ns = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lld", &ns) != 1)
		ns = 0;
	fclose(file);
	return ns;
}

void field(const char *name, double value)
{
	static bool later;

	printf("%s\"%s\": %.3f", later ? ", " : "{", name, value);
	later = true;
}
