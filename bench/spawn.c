/* SPDX-License-Identifier: MIT */
/*
 * epemu-bench-spawn TIMES PROGRAM ARGUMENT...: what it takes to start a
 * program and see its end. It prints the median of the times.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "bench.h"

extern char **environ;

static int compare(const void *a, const void *b)
{
	const int64_t *left = a;
	const int64_t *right = b;

	return (*left > *right) - (*left < *right);
}

static int64_t start_and_end(char **argv)
{
	int64_t begin = now_ns();
	int status;
	pid_t pid;

	need(posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) == 0,
		argv[0]);
	need(waitpid(pid, &status, 0) == pid, "waitpid");
	need(status == 0, "the program's status");
	return now_ns() - begin;
}

int main(int argc, char **argv)
{
	size_t times = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	int64_t *each = calloc(times + 1, sizeof(*each));

	if (times == 0 || !each) {
		fputs("usage: epemu-bench-spawn TIMES PROGRAM ARGUMENT...\n",
			stderr);
		return 2;
	}
	for (size_t i = 0; i < times; i++)
		each[i] = start_and_end(argv + 2);
	qsort(each, times, sizeof(*each), compare);
	field("ms", (double)each[times / 2] / 1e6);
	puts("}");
	return 0;
}
