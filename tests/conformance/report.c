/* SPDX-License-Identifier: MIT */
/*
 * Output: TAP 13 on the standard output, JUnit XML if asked, the list of the
 * cases, and the summary by level.
 */
#include "run.h"

static int junit_fd = -1;

static void put_all(int fd, const char *p, size_t n)
{
	long r;

	while (n) {
		r = RAW(__NR_write, fd, p, n);
		if (r <= 0 && r != -EINTR)
			return;
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
	}
}

static void vprint(int fd, const char *fmt, va_list ap)
{
	static char buf[8192];
	struct text t = TEXT_ON(buf);

	text_putv(&t, fmt, ap);
	put_all(fd, buf, t.len);
}

void print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprint(1, fmt, ap);
	va_end(ap);
}

static void xml(const char *fmt, ...)
{
	va_list ap;

	if (junit_fd < 0)
		return;
	va_start(ap, fmt);
	vprint(junit_fd, fmt, ap);
	va_end(ap);
}

static void xml_escaped(const char *s)
{
	for (; *s; s++) {
		if (*s == '<')
			xml("&lt;");
		else if (*s == '>')
			xml("&gt;");
		else if (*s == '&')
			xml("&amp;");
		else if (*s == '"')
			xml("&quot;");
		else
			xml("%c", *s);
	}
}

void report_list(const struct conf_case **cases, int n)
{
	int i;

	for (i = 0; i < n; i++)
		print("%d %s [%s] %s\n", cases[i]->level, cases[i]->name,
			cases[i]->covers, cases[i]->calls);
}

void report_begin(int n, const char *junit)
{
	print("TAP version 13\n1..%d\n", n);
	if (!junit)
		return;
	junit_fd = (int)RAW(__NR_openat, AT_FDCWD, junit,
		O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (junit_fd < 0)
		print("# cannot write %s\n", junit);
	xml("<?xml version=\"1.0\"?>\n<testsuite name=\"epconform\" "
	    "tests=\"%d\">\n",
		n);
}

static const char *base_name(const char *file)
{
	const char *p, *base = file;

	for (p = file; p && *p; p++)
		if (*p == '/')
			base = p + 1;
	return base ? base : "?";
}

/* A value may hold ": " or "#", which YAML wants in quotes. */
static void yaml(const char *key, const char *value)
{
	char buf[700] = "";
	struct text t = TEXT_ON(buf);

	for (; value && *value; value++) {
		if (*value == '\n')
			text_put(&t, " / ");
		else
			text_put(&t, *value == '\'' ? "''" : "%c", *value);
	}
	print("  %s: '%s'\n", key, buf);
}

static void explain_failure(const struct conf_case *c)
{
	struct conf_shared *s = conf_shared;
	char at[80];
	struct text t = TEXT_ON(at);

	text_put(&t, "%s:%d", base_name(s->at.file), s->at.line);
	print("  ---\n  level: %d\n", c->level);
	yaml("covers", c->covers);
	yaml("at", at);
	yaml("checked", s->at.what ? s->at.what : "(before the first check)");
	yaml("expected", s->expected);
	yaml("observed", s->observed);
	yaml("reference", c->ref);
	yaml("breaks", c->breaks);
	if (c->faults)
		yaml("known as", c->faults);
	print("  ...\n");
}

static void xml_case(const struct conf_result *r)
{
	struct conf_shared *s = conf_shared;
	unsigned long ms = (unsigned long)(r->took_ns / 1000000);

	xml("<testcase classname=\"level%d\" name=\"%s\" "
	    "time=\"%ld.%ld%ld%ld\">",
		r->c->level, r->c->name, ms / 1000, ms / 100 % 10, ms / 10 % 10,
		ms % 10);
	if (r->state == SKIPPED) {
		xml("<skipped message=\"");
		xml_escaped(s->observed);
		xml("\"/>");
	}
	if (r->state == FAILED) {
		xml("<failure message=\"");
		xml_escaped(s->at.what ? s->at.what : "");
		xml("\">expected ");
		xml_escaped(s->expected);
		xml("; observed ");
		xml_escaped(s->observed);
		xml("; ");
		xml_escaped(r->c->ref);
		xml("; breaks ");
		xml_escaped(r->c->breaks);
		xml("</failure>");
	}
	xml("</testcase>\n");
}

void report_case(int number, const struct conf_result *r)
{
	struct conf_shared *s = conf_shared;

	if (r->state == SKIPPED)
		print("ok %d - %s # SKIP %s\n", number, r->c->name,
			s->observed);
	else
		print("%sok %d - %s\n", r->state == PASSED ? "" : "not ",
			number, r->c->name);
	if (r->state == FAILED)
		explain_failure(r->c);
	if (s->note[0])
		print("# note: %s\n", s->note);
	xml_case(r);
}

int report_end(const struct conf_result *results, int n, int no_skip)
{
	int level, i, failed = 0, skipped = 0;

	for (level = 1; level <= MAX_LEVEL; level++) {
		int of = 0, good = 0, skip = 0;

		for (i = 0; i < n; i++) {
			if (results[i].c->level != level)
				continue;
			of++;
			good += results[i].state == PASSED;
			skip += results[i].state == SKIPPED;
		}
		if (skip)
			print("# level %d: %d of %d (%d skipped)\n", level,
				good, of, skip);
		else if (of)
			print("# level %d: %d of %d\n", level, good, of);
		failed += of - good - skip;
		skipped += skip;
	}
	print("# %d failed, %d skipped, %d in all\n", failed, skipped, n);
	xml("</testsuite>\n");
	return failed + (no_skip ? skipped : 0);
}
