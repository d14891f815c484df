/* SPDX-License-Identifier: MIT */
/*
 * The command line of epemu.
 *
 * Parsing stops at the first word that is no option, as with env(1) or
 * nice(1), so the program's own options need no quoting. Nothing is read from
 * the environment: POSIXLY_CORRECT makes no difference since the option
 * string starts with '+'. A mistake is answered here, in one line that names
 * the word in question, and ends epemu with 125: the statuses below that are
 * the program's.
 */
#include "launcher/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/dump.h"

static const char help_text[] =
	"Usage: epemu [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
	"  or:  epemu compare [--any-thread] FILE FILE\n"
	"  or:  epemu summarize FILE\n"
	"Run PROGRAM with its epoll and eventfd calls answered in user space.\n"
	"\n"
	"  -o, --output=FILE          epemu's own messages go to FILE\n"
	"  -v, --verbose              say what is done, and count the calls\n"
	"      --trace[=FILE]         show each call, and what woke whom\n"
	"      --trace-format=FORMAT  text (default), json or perfetto\n"
	"      --trace-filter=KEY=NAME,...  only these; KEY: call, object, "
	"process\n"
	"      --trace-since-exec=NAME  nothing before a program NAME runs\n"
	"      --stack                with --trace: where in the program each "
	"call is\n"
	"      --record=FILE          write the calls for compare, summarize\n"
	"      --stats[=json]         count and time; print it at the end\n"
	"      --stats-interval=SECS  print the state again and again\n"
	"      --warn-stall=SECS      tell of threads left asleep, and of "
	"hangs\n"
	"      --dump=PID             print the state of the epemu that PID is "
	"under\n"
	"      --io-uring=allow       let io_uring go round the emulation; by "
	"default\n"
	"                             (deny) it fails with ENOSYS\n"
	"      --eventfd=host         leave eventfds to the kernel; default: "
	"emulate\n"
	"  -h, --help; -V, --version  show this text; show the version\n"
	"\n"
	"The exit status is that of PROGRAM; or 125 if epemu itself fails, 126 "
	"if\n"
	"PROGRAM cannot be run, 127 if it is not found. See epemu(1).\n";

enum {
	OPTION_IO_URING = 256,
	OPTION_EVENTFD,
	OPTION_RECORD,
	OPTION_STATS,
	OPTION_INTERVAL,
	OPTION_STALL,
	OPTION_DUMP,
	OPTION_TRACE,
	OPTION_TRACE_FORMAT,
	OPTION_TRACE_FILTER,
	OPTION_TRACE_SINCE_EXEC,
	OPTION_STACK,
};

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{"io-uring", required_argument, NULL, OPTION_IO_URING},
	{"eventfd", required_argument, NULL, OPTION_EVENTFD},
	{"record", required_argument, NULL, OPTION_RECORD},
	{"stats", optional_argument, NULL, OPTION_STATS},
	{"stats-interval", required_argument, NULL, OPTION_INTERVAL},
	{"warn-stall", required_argument, NULL, OPTION_STALL},
	{"dump", required_argument, NULL, OPTION_DUMP},
	{"trace", optional_argument, NULL, OPTION_TRACE},
	{"trace-format", required_argument, NULL, OPTION_TRACE_FORMAT},
	{"trace-filter", required_argument, NULL, OPTION_TRACE_FILTER},
	{"trace-since-exec", required_argument, NULL, OPTION_TRACE_SINCE_EXEC},
	{"stack", no_argument, NULL, OPTION_STACK},
	{NULL, 0, NULL, 0},
};

static int fail(const char *what, const char *word)
{
	fprintf(stderr, "epemu: %s%s%s; see 'epemu --help'\n", what,
		*word ? " " : "", word);
	return EMU_EXIT_FAILURE;
}

/* Text for the user that was asked for: a failure to write it counts. */
static int show(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF) {
		fputs("epemu: cannot write to standard output\n", stderr);
		return EMU_EXIT_FAILURE;
	}
	return 0;
}

/* `word` must be `off` or `on`. Returns 0, or -1 if it is neither. */
static int parse_choice(
	bool *value, const char *word, const char *off, const char *on)
{
	if (strcmp(word, off) != 0 && strcmp(word, on) != 0)
		return -1;
	*value = strcmp(word, on) == 0;
	return 0;
}

/* A time in seconds, from a millisecond to a year. */
static int parse_seconds(uint64_t *ns, const char *word)
{
	char *end;
	double seconds = strtod(word, &end);

	if (end == word || *end || !(seconds >= 0.001 && seconds <= 31557600))
		return -1;
	*ns = (uint64_t)(seconds * 1e9);
	return 0;
}

static int parse_stats(enum emu_stats *stats, const char *word)
{
	if (word && strcmp(word, "text") != 0 && strcmp(word, "json") != 0)
		return -1;
	*stats = word && *word == 'j' ? EMU_STATS_JSON : EMU_STATS_TEXT;
	return 0;
}

/* getopt found no such option; `word` is where it was looked for. */
static int fail_unknown(const char *word)
{
	char letter[] = {'-', (char)optopt, '\0'};

	if (strncmp(word, "--", 2) != 0)
		return fail("unknown option", letter);
	if (optopt)
		return fail("no value goes with", word);
	return fail("unknown option", word);
}

static int parse_emulation(struct emu_options *emulation, int option)
{
	if (option == OPTION_IO_URING &&
		parse_choice(&emulation->io_uring_allow, optarg, "deny",
			"allow") < 0)
		return fail("--io-uring takes deny or allow, not", optarg);
	if (option == OPTION_EVENTFD && parse_choice(&emulation->eventfd_host,
						optarg, "emulate", "host") < 0)
		return fail("--eventfd takes emulate or host, not", optarg);
	return -1;
}

static int parse_monitor(struct emu_launch *launch, int option)
{
	if (option == OPTION_STATS && parse_stats(&launch->stats, optarg) < 0)
		return fail("--stats takes text or json, not", optarg);
	if (option == OPTION_INTERVAL &&
		parse_seconds(&launch->interval_ns, optarg) < 0)
		return fail("--stats-interval takes seconds, not", optarg);
	if (option == OPTION_STALL &&
		parse_seconds(&launch->stall_ns, optarg) < 0)
		return fail("--warn-stall takes seconds, not", optarg);
	return -1;
}

static int parse_format(enum emu_format *format, const char *word)
{
	static const char *const words[] = {
		[EMU_FORMAT_TEXT] = "text",
		[EMU_FORMAT_JSON] = "json",
		[EMU_FORMAT_PERFETTO] = "perfetto",
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			*format = (enum emu_format)i;
			return -1;
		}
	}
	return fail("--trace-format takes text, json or perfetto, not", word);
}

static int parse_trace(struct emu_tracing *tracing, int option)
{
	const char *wrong;

	switch (option) {
	case OPTION_RECORD:
		tracing->record.wanted = true;
		tracing->record.path = optarg;
		return -1;
	case OPTION_TRACE:
		tracing->trace.wanted = true;
		tracing->trace.path = optarg;
		return -1;
	case OPTION_STACK:
		tracing->stacks = true;
		return -1;
	case OPTION_TRACE_FORMAT:
		return parse_format(&tracing->format, optarg);
	case OPTION_TRACE_FILTER:
		wrong = trace_filter_add(&tracing->filter, optarg);
		return wrong ? fail(wrong, optarg) : -1;
	default:
		tracing->filter.since_exec = optarg;
		return -1;
	}
}

/* Options that say nothing by themselves. Returns -1 if all is well. */
static int check_tracing(const struct emu_tracing *tracing)
{
	bool filtered = tracing->filter.count || tracing->filter.since_exec;

	if (tracing->format != EMU_FORMAT_TEXT && !tracing->trace.wanted)
		return fail("--trace-format takes --trace as well", "");
	if (tracing->stacks && !tracing->trace.wanted)
		return fail("--stack takes --trace as well", "");
	if (tracing->stacks && !EMU_STACK)
		return fail("this epemu was built without --stack (option "
			    "'stack' of its build)",
			"");
	if (filtered && !tracing->trace.wanted && !tracing->record.wanted)
		return fail("a filter takes --trace or --record as well", "");
	return -1;
}

static int parse_one(struct emu_launch *launch, int option, char **argv)
{
	switch (option) {
	case 'o':
		launch->messages.path = optarg;
		return -1;
	case 'v':
		launch->verbose = true;
		return -1;
	case 'h':
		return show(help_text);
	case 'V':
		return show("epemu " EMU_VERSION "\n");
	case OPTION_IO_URING:
	case OPTION_EVENTFD:
		return parse_emulation(&launch->emulation, option);
	case OPTION_STATS:
	case OPTION_INTERVAL:
	case OPTION_STALL:
		return parse_monitor(launch, option);
	case OPTION_DUMP:
		if (argv[optind])
			return fail("no PROGRAM goes with --dump, but there is",
				argv[optind]);
		return emu_dump_ask(optarg);
	case OPTION_RECORD:
	case OPTION_TRACE:
	case OPTION_TRACE_FORMAT:
	case OPTION_TRACE_FILTER:
	case OPTION_TRACE_SINCE_EXEC:
	case OPTION_STACK:
		return parse_trace(&launch->tracing, option);
	case ':':
		return fail("an argument is missing after", argv[optind - 1]);
	default:
		return fail_unknown(argv[optind - 1]);
	}
}

int emu_options_parse(struct emu_launch *launch, int argc, char **argv)
{
	int option;

	*launch = (struct emu_launch){.messages.wanted = true};
	opterr = 0;
	while ((option = getopt_long(
			argc, argv, "+:o:vhV", long_options, NULL)) != -1) {
		int status = parse_one(launch, option, argv);

		if (status != -1)
			return status;
	}
	if (check_tracing(&launch->tracing) >= 0)
		return EMU_EXIT_FAILURE;
	if (optind == argc)
		return fail("no PROGRAM is given", "");
	launch->argv = argv + optind;
	return -1;
}
