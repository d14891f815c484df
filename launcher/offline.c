/* SPDX-License-Identifier: MIT */
/*
 * Commands that run no program but look at what was recorded. They are known
 * by the first word; a program of that name is run with `epemu -- compare`.
 */
#include "launcher/offline.h"

#include <stdio.h>
#include <string.h>

#include "launcher/launch.h"
#include "trace/sequence.h"

static int usage(const char *text)
{
	fprintf(stderr, "epemu: usage: epemu %s; see epemu(1)\n", text);
	return EMU_EXIT_FAILURE;
}

/* The end of a command that printed something. */
static int conclude(int status)
{
	if (status >= 0 && fflush(stdout) == 0)
		return status;
	fputs(status < 0 ? "epemu: out of memory\n"
			 : "epemu: cannot write to standard output\n",
		stderr);
	return EMU_EXIT_FAILURE;
}

static int compare(int argc, char **argv)
{
	bool any_thread = argc > 0 && strcmp(argv[0], "--any-thread") == 0;
	struct trace_sequence a;
	struct trace_sequence b;
	int found;

	argc -= any_thread;
	argv += any_thread;
	if (argc != 2)
		return usage("compare [--any-thread] FILE FILE");
	if (trace_sequence_read(&a, argv[0]) < 0)
		return EMU_EXIT_FAILURE;
	if (trace_sequence_read(&b, argv[1]) < 0) {
		trace_sequence_free(&a);
		return EMU_EXIT_FAILURE;
	}
	found = trace_compare(&a, &b, any_thread);
	trace_sequence_free(&a);
	trace_sequence_free(&b);
	return conclude(found > 0 ? 1 : found);
}

static int summarize(int argc, char **argv)
{
	struct trace_sequence sequence;
	int rc;

	if (argc != 1)
		return usage("summarize FILE");
	if (trace_sequence_read(&sequence, argv[0]) < 0)
		return EMU_EXIT_FAILURE;
	rc = trace_summarize(&sequence);
	trace_sequence_free(&sequence);
	return conclude(rc);
}

int emu_offline_run(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "compare") == 0)
		return compare(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "summarize") == 0)
		return summarize(argc - 2, argv + 2);
	return -1;
}
