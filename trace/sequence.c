/* SPDX-License-Identifier: MIT */
/*
 * Reads recorded sequences. The file is kept as one text in which line ends
 * and the blank after the thread's name become ends of strings.
 */
#include "trace/sequence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace/record.h"

static int fail(const char *path, const char *what)
{
	fprintf(stderr, "epemu: cannot read '%s': %s\n", path, what);
	return -1;
}

/* The whole file as a string; NULL with errno. */
static char *read_all(FILE *file)
{
	char *text = NULL;
	size_t room = 0;
	size_t size = 0;

	do {
		char *bigger;

		room = room ? room * 2 : 65536;
		bigger = realloc(text, room);
		if (!bigger) {
			free(text);
			return NULL;
		}
		text = bigger;
		size += fread(text + size, 1, room - 1 - size, file);
	} while (size == room - 1);
	text[size] = '\0';
	if (!ferror(file))
		return text;
	free(text);
	return NULL;
}

static int add_step(
	struct trace_sequence *sequence, size_t *room, char *text, int line)
{
	char *blank = strchr(text, ' ');
	struct trace_step *bigger;

	if (!blank || !strchr(blank, '('))
		return -1;
	if (sequence->count == *room) {
		*room = *room ? *room * 2 : 256;
		bigger = realloc(sequence->steps, *room * sizeof(*bigger));
		if (!bigger)
			return -1;
		sequence->steps = bigger;
	}
	*blank = '\0';
	sequence->steps[sequence->count++] =
		(struct trace_step){text, blank + 1, line};
	return 0;
}

static int take_apart(struct trace_sequence *sequence)
{
	bool headed = false;
	size_t room = 0;
	char *at = sequence->text;
	int line = 1;

	for (; *at; line++) {
		char *end = at + strcspn(at, "\n");
		bool last = !*end;

		*end = '\0';
		if (!headed && strcmp(at, TRACE_SEQUENCE_HEAD) == 0)
			headed = true;
		else if (sscanf(at, "# %llu records lost", &sequence->lost) ==
			 1)
			; /* and at most one such line is there */
		else if (*at && *at != '#' &&
			 (!headed || add_step(sequence, &room, at, line) < 0))
			return line;
		at = last ? end : end + 1;
	}
	return headed ? 0 : line;
}

int trace_sequence_read(struct trace_sequence *sequence, const char *path)
{
	FILE *file = fopen(path, "re");
	char what[64];
	int wrong;

	*sequence = (struct trace_sequence){.path = path};
	if (!file)
		return fail(path, strerror(errno));
	sequence->text = read_all(file);
	fclose(file);
	if (!sequence->text)
		return fail(path, "it cannot be read, or memory is short");
	wrong = take_apart(sequence);
	if (!wrong)
		return 0;
	trace_sequence_free(sequence);
	snprintf(what, sizeof(what), "line %d is not of '%s'", wrong,
		TRACE_SEQUENCE_HEAD);
	return fail(path, what);
}

void trace_sequence_free(struct trace_sequence *sequence)
{
	free(sequence->steps);
	free(sequence->text);
	sequence->steps = NULL;
	sequence->text = NULL;
	sequence->count = 0;
}
