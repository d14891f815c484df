/* SPDX-License-Identifier: MIT */
/* Growing arrays. The type of the elements is known by their user. */
#ifndef STATS_ARRAY_H
#define STATS_ARRAY_H

#include <stddef.h>
#include <stdlib.h>

struct stats_array {
	void *all;
	size_t count, room;
};

/* Room for one element more, at the end; NULL: there is no memory. */
static inline void *stats_array_append(struct stats_array *array, size_t size)
{
	if (array->count == array->room) {
		size_t room = array->room ? 2 * array->room : 16;
		void *all = reallocarray(array->all, room, size);

		if (!all)
			return NULL;
		array->all = all;
		array->room = room;
	}
	return (char *)array->all + array->count++ * size;
}

#endif
