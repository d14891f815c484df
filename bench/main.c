/* SPDX-License-Identifier: MIT */
/*
 * epemu-bench: the workloads of the benchmark that are made of plain calls.
 *
 * The program runs one of them for some time and prints one line of JSON. It
 * knows nothing of who answers its calls; the driver starts it natively,
 * under epemu and so on, and compares the lines.
 *
 * With --gate it waits for a line on standard input before it starts, and
 * again before it ends, so that somebody can look at the supervisor in
 * between.
 *
 * With --steps it runs a number of operations instead, and before each of
 * them it waits until the supervisor has gone to sleep. What the supervisor
 * does for an operation then does not depend on who is faster, so it can be
 * counted exactly. There is one gate then, before the first operation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

bool under_floor;
static bool gated;

static const struct workload *const tables[] = {
	call_workloads,
	thread_workloads,
	scale_workloads,
};

static void at_gate(const char *word)
{
	char line[16];

	if (!gated)
		return;
	printf("%s\n", word);
	fflush(stdout);
	need(fgets(line, sizeof(line), stdin), "standard input");
}

static void run_in_steps(const struct workload *workload, long operations)
{
	workload->prepare();
	workload->run(workload->batch); /* warms up */
	at_gate("ready");
	mark();
	mark(); /* between these two is what a mark itself takes */
	for (long i = 0; i < operations; i++) {
		settled();
		workload->run(1);
	}
	mark();
	field("calls", (double)(operations * workload->calls));
}

static void run_workload(const struct workload *workload, int64_t duration_ns)
{
	int64_t end;
	int64_t sum = 0;
	int64_t operations = 0;

	workload->prepare();
	workload->run(workload->batch); /* warms up */
	at_gate("ready");
	end = now_ns() + duration_ns;
	do {
		sum += workload->run(workload->batch);
		operations += workload->batch;
	} while (now_ns() < end);
	at_gate("done");
	field("operations", (double)operations);
	field("calls", (double)(operations * workload->calls));
	field("ns", (double)sum / (double)operations);
}

static const struct workload *find(const char *name)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		const struct workload *workload = tables[t];

		for (; workload->name; workload++) {
			if (strcmp(workload->name, name) == 0)
				return workload;
		}
	}
	return NULL;
}

static bool measure_named(const char *name, long amount, int64_t duration_ns)
{
	for (const struct measure *measure = measures; measure->name;
		measure++) {
		if (strcmp(measure->name, name) == 0) {
			measure->run(amount, duration_ns);
			return true;
		}
	}
	return false;
}

/* The rows: name, calls in an operation, and what to name to strace. */
static void list(void)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		const struct workload *workload = tables[t];

		for (; workload->name; workload++) {
			if (workload->traced)
				printf("%s %d %s\n", workload->name,
					workload->calls, workload->traced);
		}
	}
}

static int usage(void)
{
	fputs("usage: epemu-bench [--floor] [--gate] WORKLOAD MILLISECONDS "
	      "[AMOUNT]\n"
	      "       epemu-bench --steps [--gate] WORKLOAD OPERATIONS\n"
	      "       epemu-bench --list\n",
		stderr);
	return 2;
}

/* The words behind the options: a name and one or two numbers. */
static bool run_words(int count, char **words)
{
	const struct workload *workload = find(words[0]);
	long first = strtol(words[1], NULL, 10);
	long amount = count == 3 ? strtol(words[2], NULL, 10) : 1;

	if (!workload)
		return !in_steps &&
		       measure_named(words[0], amount, first * 1000000);
	if (in_steps)
		run_in_steps(workload, first);
	else
		run_workload(workload, first * 1000000);
	return true;
}

int main(int argc, char **argv)
{
	int at = 1;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		list();
		return 0;
	}
	for (; at < argc && argv[at][0] == '-'; at++) {
		if (strcmp(argv[at], "--floor") == 0)
			under_floor = true;
		else if (strcmp(argv[at], "--gate") == 0)
			gated = true;
		else if (strcmp(argv[at], "--steps") == 0)
			in_steps = true;
		else
			return usage();
	}
	if (argc - at < 2 || argc - at > 3)
		return usage();
	if (!run_words(argc - at, argv + at))
		return usage();
	puts("}");
	return 0;
}
