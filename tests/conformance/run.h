/* SPDX-License-Identifier: MIT */
/*
 * Inside of the runner: options, the cases that were chosen, and output.
 */
#ifndef CONFORM_RUN_H
#define CONFORM_RUN_H

#include "shared.h"

#define MAX_LEVEL 5
#define MAX_CASES 1000

struct conf_options {
	int list;
	int coverage;
	int no_skip;
	int sysctl;
	int poweroff;
	int level;
	int limit_s;
	const char *junit;
	char **patterns;
	int npatterns;
};

struct conf_result {
	enum conf_state state;
	const struct conf_case *c;
	uint64_t took_ns;
};

extern const struct conf_case *const __start_conf_cases[];
extern const struct conf_case *const __stop_conf_cases[];

int cases_choose(const struct conf_options *o, const struct conf_case **chosen);
/* Runs one case; what it said is in conf_shared until the next one. */
void case_run(const struct conf_case *c, int limit_s, struct conf_result *r);

void report_list(const struct conf_case **cases, int n);
/* Zero if every code that can be tested has a case. */
int report_coverage(const struct conf_case **cases, int n);
void report_begin(int n, const char *junit);
void report_case(int number, const struct conf_result *r);
/* Number of failures; skips count too if asked. */
int report_end(const struct conf_result *results, int n, int no_skip);
void print(const char *fmt, ...);

/* What an exec'd copy of this program does for a case. */
int helper_main(int argc, char **argv);

#endif
