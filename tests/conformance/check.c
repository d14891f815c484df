/* SPDX-License-Identifier: MIT */
/*
 * Checks. Every check notes where it is before its expression is evaluated,
 * so that a case that hangs can say in what. The first process of a case
 * whose check does not hold claims the result, writes down what it expected
 * and observed, and ends the case: itself, and the leader if that is another
 * (the runner kills whatever else is left of the process group).
 */
#include "shared.h"
#include <signal.h>

struct conf_shared *conf_shared;
int conf_in_case;
int conf_in_leader;
static struct conf_step here;

void conf_step(const char *file, int line, const char *what)
{
	here = (struct conf_step){file, line, what};
	if (conf_in_leader)
		conf_shared->step = here;
}

static void end_with(uint32_t state) __attribute__((noreturn));
static void end_with(uint32_t state)
{
	struct conf_shared *s = conf_shared;

	__atomic_store_n(&s->state, state, __ATOMIC_SEQ_CST);
	if (!conf_in_leader)
		RAW(__NR_kill, s->leader, SIGKILL);
	for (;;)
		RAW(__NR_exit_group, 1);
}

static int claim(void)
{
	return !__atomic_exchange_n(&conf_shared->claimed, 1, __ATOMIC_SEQ_CST);
}

static void copy(char *dst, size_t cap, const char *src)
{
	struct text t = {dst, 0, cap};

	text_put(&t, "%s", src);
}

void conf_fail(const char *expected, const char *observed)
{
	struct conf_shared *s = conf_shared;

	if (!claim())
		child_exit(1);
	s->at = here;
	copy(s->expected, sizeof(s->expected), expected);
	copy(s->observed, sizeof(s->observed), observed);
	end_with(FAILED);
}

void conf_skip(const char *why)
{
	struct conf_shared *s = conf_shared;

	if (!claim())
		child_exit(1);
	s->at = here;
	copy(s->observed, sizeof(s->observed), why);
	end_with(SKIPPED);
}

void conf_note(const char *text)
{
	copy(conf_shared->note, sizeof(conf_shared->note), text);
}

long call_checked(const char *name, long ret)
{
	char buf[64];
	struct text t = TEXT_ON(buf);

	if (ret != -ENOSYS || !conf_in_case)
		return ret;
	text_put(&t, "no system call %s", name);
	conf_skip(buf);
}

void conf_is(long got, long want)
{
	char e[40], o[40];
	struct text te = TEXT_ON(e), to = TEXT_ON(o);

	if (got == want)
		return;
	text_result(&te, want);
	text_result(&to, got);
	conf_fail(e, o);
}

void conf_either(long got, long a, long b)
{
	char e[80], o[40];
	struct text te = TEXT_ON(e), to = TEXT_ON(o);

	if (got == a || got == b)
		return;
	text_result(&te, a);
	text_put(&te, " or ");
	text_result(&te, b);
	text_result(&to, got);
	conf_fail(e, o);
}

long conf_ok(long got)
{
	char o[40];
	struct text to = TEXT_ON(o);

	if (got >= 0)
		return got;
	text_result(&to, got);
	conf_fail("success", o);
}

void conf_true(int good)
{
	if (!good)
		conf_fail("true", "false");
}

void conf_mask_is(uint32_t got, uint32_t want)
{
	char e[160], o[160];
	struct text te = TEXT_ON(e), to = TEXT_ON(o);

	if (got == want)
		return;
	text_mask(&te, want);
	text_mask(&to, got);
	conf_fail(e, o);
}

void conf_text_is(const char *got, const char *want)
{
	if (strcmp(got, want))
		conf_fail(want, got);
}
