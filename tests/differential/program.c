/* SPDX-License-Identifier: MIT */
/*
 * Reads programs, see program.h. A line is `ACTOR: [OUTS =] NAME(ARGS)`; what
 * it says is settled here, so that running it needs no text. A line that is
 * not understood ends the process: a case that tests less than it seems to
 * is worse than none.
 */
#define _GNU_SOURCE
#include "program.h"
#include "ops.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *file_name;
static unsigned line_number;

static _Noreturn void complain(const char *what, const char *text)
{
	fprintf(stderr, "%s:%u: %s: '%s'\n", file_name, line_number, what,
		text);
	exit(2);
}

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t len = strlen(s);

	while (len > 0 && isspace((unsigned char)s[len - 1]))
		s[--len] = '\0';
	return s;
}

static bool parse_number(const char *s, long *value)
{
	char *end;

	*value = (long)strtoull(s, &end, 0);
	return end != s && *end == '\0';
}

/* Lower case letters, then the number. */
static bool parse_slot(const char *s, unsigned *slot)
{
	size_t letters = strspn(s, "abcdefghijklmnopqrstuvwxyz");
	long n;

	if (letters == 0 || !isdigit((unsigned char)s[letters]) ||
		!parse_number(s + letters, &n) || n < 0 || n >= SLOTS)
		return false;
	*slot = (unsigned)n;
	return true;
}

static void parse_arg(struct arg *arg, char *s)
{
	unsigned slot;
	char *rest = NULL;

	if (parse_slot(s, &slot)) {
		*arg = (struct arg){true, slot};
		return;
	}
	*arg = (struct arg){false, 0};
	for (char *word = strtok_r(s, "|", &rest); word;
		word = strtok_r(NULL, "|", &rest)) {
		long value;

		word = trim(word);
		if (!parse_number(word, &value) && !name_value(word, &value))
			complain("no such slot, number or name", word);
		arg->value |= value;
	}
}

static unsigned parse_args(struct step *step, char *list)
{
	unsigned count = 0;

	for (char *word; (word = strsep(&list, ",")) != NULL; count++) {
		word = trim(word);
		if (*word == '\0' && !list && count == 0)
			break;
		if (count == ARGS_MAX || *word == '\0')
			complain("bad arguments", word);
		parse_arg(&step->arg[count], word);
	}
	return count;
}

static unsigned parse_outs(struct step *step, char *list)
{
	unsigned count = 0;

	for (char *word; (word = strsep(&list, ",")) != NULL; count++) {
		if (count == OUTS_MAX ||
			!parse_slot(trim(word), &step->out[count]))
			complain("bad slot", word);
	}
	return count;
}

static void parse_step(struct step *step, char *line)
{
	char *colon = strchr(line, ':'), *open = strchr(line, '(');
	char *close = strrchr(line, ')');
	unsigned outs = 0, args;
	long actor;

	memset(step, 0, sizeof(*step));
	snprintf(step->text, sizeof(step->text), "%s", line);
	if (!colon || !open || !close || colon > open || close < open)
		complain("no call", line);
	*colon = *open = *close = '\0';
	if (!parse_number(trim(line), &actor) || actor < 0 || actor >= ACTORS)
		complain("no such actor", line);
	step->actor = (unsigned)actor;
	char *name = colon + 1, *equals = strchr(name, '=');

	if (equals) {
		*equals = '\0';
		outs = parse_outs(step, name);
		name = equals + 1;
	}
	name = trim(name);
	step->op = op_find(name);
	if (!step->op)
		complain("no such operation", name);
	args = parse_args(step, open + 1);
	if (args != step->op->args || outs != step->op->outs)
		complain("wrong number of arguments or results", step->text);
}

/* The last `program` line was read when the one before ended. */
static char next_name[128];
static bool have_name;

static void begin(struct program *p)
{
	p->count = 0;
	snprintf(p->name, sizeof(p->name), "%s", have_name ? next_name : "-");
	have_name = false;
}

bool program_read(struct program *p, FILE *from, const char *from_name)
{
	char line[256];

	file_name = from_name;
	begin(p);
	while (fgets(line, sizeof(line), from)) {
		char *s = trim(line);

		line_number++;
		if (*s == '\0' || *s == '#')
			continue;
		if (strncmp(s, "program ", 8) == 0) {
			snprintf(next_name, sizeof(next_name), "%.*s",
				(int)sizeof(next_name) - 1, s + 8);
			have_name = true;
			if (p->count > 0)
				return true;
			begin(p);
			continue;
		}
		if (p->count == STEPS_MAX)
			complain("too long a program", s);
		parse_step(&p->step[p->count++], s);
	}
	line_number = 0;
	return p->count > 0;
}
