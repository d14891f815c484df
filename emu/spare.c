/* SPDX-License-Identifier: MIT */
/*
 * A handle without a file is never ready. But it may still be queued in its
 * part, for a wake-up of the file that it had, and the next one would come
 * at that place, before others that were woken earlier. So it is taken only
 * once the part was drained after the removal: that dropped it.
 *
 * The part may have been closed meanwhile, or its sources moved. Its serial
 * tells: it is compared, and the part that it was is not looked at.
 */
#include "spare.h"

#include <stdlib.h>
#include <string.h>

#include "edges.h"
#include "watch.h"

static void discard(struct emu_watch *watch)
{
	emu_weak_finish(&watch->weak);
	free(watch);
}

/* Takes the entry out of the list. */
static struct emu_watch *pull(struct emu_spares *spares, int i)
{
	struct emu_watch *watch = spares->at[i].watch;

	spares->count--;
	memmove(&spares->at[i], &spares->at[i + 1],
		(size_t)(spares->count - i) * sizeof(spares->at[0]));
	return watch;
}

/* Is its one registration, besides the file's, that in its part? */
static bool is_plain(const struct emu_watch *watch)
{
	return watch->weak.tfd < 0 && watch->armed && !watch->alarmed &&
	       !watch->listed && !watch->source.forgets;
}

bool emu_spare_keep(struct emu_spares *spares, struct emu_watch *watch)
{
	const struct emu_edges *edges = watch->source.edges;

	if (!is_plain(watch) || !edges->loop)
		return false;
	if (spares->count == EMU_SPARES)
		discard(pull(spares, 0));
	spares->at[spares->count++] = (struct emu_spare){
		.watch = watch,
		.part = edges->serial,
		.turn = emu_edges_turn(edges),
	};
	return true;
}

struct emu_watch *emu_spare_take(struct emu_spares *spares,
	const struct emu_edges *edges, int fd, uint32_t events)
{
	int i = spares->count;
	struct emu_watch *watch;

	if (!edges->loop)
		return NULL;
	do {
		if (--i < 0)
			return NULL;
	} while (spares->at[i].part != edges->serial ||
		 !emu_edges_drained_since(edges, spares->at[i].turn));
	watch = pull(spares, i);
	*watch = (struct emu_watch){
		.weak = watch->weak,
		.source = watch->source,
	};
	if (emu_weak_fill(&watch->weak, fd, events) < 0) {
		discard(watch);
		return NULL;
	}
	return watch;
}

bool emu_spares_drop(struct emu_spares *spares)
{
	bool some = spares->count > 0;

	while (spares->count > 0)
		discard(pull(spares, 0));
	return some;
}
