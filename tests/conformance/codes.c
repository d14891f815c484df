/* SPDX-License-Identifier: MIT */
/*
 * The list of behaviours by code and of faults seen in the wild, against
 * which --coverage checks the descriptions of the cases. The codes are those
 * of the list that the kit was written from: C creation, A epoll_ctl, X
 * exclusive, N nesting, W arguments of a wait, D delivery, T several waiters,
 * G signals, L lifetimes, E eventfd, F edges of other files, R runtimes.
 */
#include "run.h"

static const struct {
	char letter;
	int count;
} groups[] = {{'C', 12}, {'A', 21}, {'X', 9}, {'N', 9}, {'W', 8}, {'D', 14},
	{'T', 10}, {'G', 8}, {'L', 10}, {'E', 20}, {'F', 11}, {'R', 10}};

static const struct {
	const char *code;
	const char *why;
} not_testable[] = {
	{"A21", "needs an allocation to fail inside the kernel"},
};

static const char *const faults[] = {"eventfd-edge-once", "mod-no-rearm",
	"et-refire-on-read", "et-ignored", "et-toggle", "et-transition-only",
	"no-rdhup", "no-hup", "rdhup-as-hup", "nested-lost", "stale-ready",
	"phantom-out", "no-initial-check", "lt-not-requeued", "lifo-ready",
	"lost-check-then-sleep", "waiter-swallows", "no-close-cleanup",
	"keyed-by-number", "close-reports-err", "close-no-wake",
	"oneshot-wrong-mask", "in-out-split", "event-layout", "event-unaligned",
	"data-truncated", "eventfd-ebadf", "eventfd-max", "cloexec-ignored",
	"number-outside-table", "number-too-high", "dupfd-missing",
	"wait-yields", "pwait-mask-ignored", "pwait2-truncates",
	"eintr-restarted", "spurious-eintr", "ring-goes-round",
	"dup-holds-eof"};

/* Whether word stands in a list of words. */
static int has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *p;

	for (p = list; p && (p = strstr(p, word)); p++)
		if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return 1;
	return 0;
}

static const char *excuse(const char *code)
{
	size_t i;

	for (i = 0; i < sizeof(not_testable) / sizeof(*not_testable); i++)
		if (!strcmp(not_testable[i].code, code))
			return not_testable[i].why;
	return NULL;
}

static int cover(
	const char *word, int fault, const struct conf_case **cases, int n)
{
	int i, found = 0;

	print("%s:", word);
	for (i = 0; i < n; i++) {
		if (!has_word(
			    fault ? cases[i]->faults : cases[i]->covers, word))
			continue;
		print(" %s", cases[i]->name);
		found++;
	}
	if (!found && excuse(word))
		print(" (cannot be tested from outside: %s)", excuse(word));
	else if (!found)
		print(" NOT COVERED");
	print("\n");
	return found || excuse(word) ? 0 : 1;
}

static int known_code(const char *word, size_t n)
{
	size_t i;
	int number = (int)str_number(word + 1, 10);

	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		if (n == 3 && groups[i].letter == *word)
			return number > 0 && number <= groups[i].count;
	return 0;
}

static int known_fault(const char *word, size_t n)
{
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (strlen(faults[i]) == n && !strncmp(faults[i], word, n))
			return 1;
	return 0;
}

/* Words of a description that stand in no list are slips of the pen. */
static int unknown_words(const struct conf_case *c, const char *list, int fault)
{
	size_t n;
	int bad = 0;

	for (; list && *list; list += n + (list[n] == ' ')) {
		for (n = 0; list[n] && list[n] != ' ';)
			n++;
		if (fault ? known_fault(list, n) : known_code(list, n))
			continue;
		print("%s: what is \"%s\"?\n", c->name, list);
		bad++;
	}
	return bad;
}

static int incomplete(const struct conf_case *c)
{
	int bad =
		unknown_words(c, c->covers, 0) + unknown_words(c, c->faults, 1);

	if (c->level >= 1 && c->level <= MAX_LEVEL && c->covers && c->calls &&
		c->ref && c->breaks)
		return bad;
	print("%s: its description is not complete\n", c->name);
	return bad + 1;
}

int report_coverage(const struct conf_case **cases, int n)
{
	char code[8];
	size_t i;
	int k, bare = 0;

	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		for (k = 1; k <= groups[i].count; k++) {
			struct text t = TEXT_ON(code);

			text_put(
				&t, "%c%d%d", groups[i].letter, k / 10, k % 10);
			bare += cover(code, 0, cases, n);
		}
	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		bare += cover(faults[i], 1, cases, n);
	for (k = 0; k < n; k++)
		bare += incomplete(cases[k]);
	print("# %d cases, %d things missing\n", n, bare);
	return bare;
}
