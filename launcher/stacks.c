/* SPDX-License-Identifier: MIT */
/*
 * Stacks of the program's calls: unwound and named once, kept, and found
 * again.
 *
 * A thread in a call shows two registers without being disturbed, the
 * instruction and the stack pointer. Unwinding begins with these. If that is
 * not enough (code with frame pointers), the trace is told, the thread is
 * stopped, and unwinding begins again with all registers. For the next new
 * stack from the same instruction it is stopped at once.
 *
 * What the frames followed from is kept with them: the call's instruction
 * pointer and the words of the stack that were read. Places are kept relative
 * to the stack pointer, and so are words that point into the stack. Another
 * call from the same instruction in the same process, for which all these
 * words are as they were, has the same stack: the first word read depends on
 * the two registers only, and each further one on those before. So threads
 * share what is kept. It takes one reading of memory, and no stop.
 *
 * That the code is the same, and its names, is told by words at fixed places,
 * which are read along: the random bytes that each exec gets, of each module
 * the build id (or the ELF header), and the code before the place where each
 * frame goes on, which also tells of code that is made at run time. Two
 * libraries without build ids that were loaded to one place, one after the
 * other, with the same ELF header and the same code, pass for one.
 *
 * Where registers were needed, one thing more is taken for granted: that the
 * function with the frame pointer has a frame as large as last time. If not
 * (alloca), the words are somewhere else, and what lies in their old places
 * would have to be a copy of the whole old stack to be taken for it.
 */
#include "launcher/stacks.h"

#include <stdlib.h>
#include <string.h>

#include "emu/arch.h"
#include "emu/list.h"
#include "launcher/unwind.h"

enum {
	BUCKETS = 256,
	MOST_KEPT = 2048,
	MOST_TRIES = 4, /* of the stacks from one instruction */
	BLIND = 1024,
	CODE = 8,
	FIXED = EMU_UNWIND_FRAMES + 128,
	WINDOW = 16 * 1024,
};

/* A stack that is kept. */
struct kept {
	struct emu_list link; /* in its bucket, the last found first */
	pid_t process;
	uint64_t ip;
	uint64_t sp; /* that it was found with last */
	struct trace_stack *stack;
	unsigned int words; /* of the stack; those at fixed places follow */
	unsigned int all;
	uint64_t low; /* the lowest place of the stack */
	uint64_t span; /* from there to the end of the highest */
	struct known_word {
		uint64_t place; /* relative to the stack pointer, if of it */
		uint64_t value; /* the same, if `points` */
		bool points; /* into the stack */
	} known[];
};

struct stacks {
	struct trace_stacks hooks;
	struct emu_symbols *symbols;
	struct emu_unwinder *unwinder;
	struct emu_list buckets[BUCKETS];
	unsigned int count;
	uint64_t blind[BLIND]; /* instructions that took registers, mixed */
	/* Too large for the stack. */
	struct emu_walk walk;
	struct trace_frame frames[EMU_UNWIND_FRAMES];
	struct emu_symbol_answer answers[EMU_UNWIND_FRAMES];
};

static uint64_t mix(const struct emu_call *call)
{
	uint64_t process = (uint64_t)call->thread->tgid;

	return (call->ip ^ process << 40) * 0x9e3779b97f4a7c15u;
}

static struct emu_list *bucket(
	struct stacks *stacks, const struct emu_call *call)
{
	return &stacks->buckets[(mix(call) >> 32) % BUCKETS];
}

/* A hint: what has the same place there pushes others out. */
static uint64_t *blind_at(struct stacks *stacks, const struct emu_call *call)
{
	return &stacks->blind[(mix(call) >> 32) % BLIND];
}

static void drop_all(struct stacks *stacks)
{
	struct emu_list *following;
	struct emu_list *pos;

	for (int i = 0; i < BUCKETS; i++) {
		emu_list_for_each_safe (pos, following, &stacks->buckets[i]) {
			struct kept *kept =
				emu_container_of(pos, struct kept, link);

			trace_stack_put(kept->stack);
			free(kept);
		}
		emu_list_init(&stacks->buckets[i]);
	}
	stacks->count = 0;
}

/*
 * The words at their places, in one piece where they are that near to each
 * other: for the kernel that is much less work.
 */
static bool read_words(const struct kept *kept, const struct emu_thread *thread,
	uint64_t sp, uint64_t *values)
{
	static char window[WINDOW];
	static uint64_t places[EMU_UNWIND_WORDS];

	if (kept->span > sizeof(window)) {
		for (unsigned int i = 0; i < kept->words; i++)
			places[i] = sp + kept->known[i].place;
		return emu_target_gather(thread, places, values, kept->words) ==
		       (ssize_t)kept->words;
	}
	if (emu_target_read(thread, sp + kept->low, window, kept->span) < 0)
		return false;
	for (unsigned int i = 0; i < kept->words; i++)
		memcpy(&values[i], window + (kept->known[i].place - kept->low),
			sizeof(values[i]));
	return true;
}

/* Is all that this stack followed from as it was? */
static bool holds(
	const struct kept *kept, const struct emu_thread *thread, uint64_t sp)
{
	static uint64_t values[EMU_UNWIND_WORDS + FIXED];
	static uint64_t places[FIXED];
	unsigned int fixed = kept->all - kept->words;

	if (!read_words(kept, thread, sp, values))
		return false;
	for (unsigned int i = 0; i < kept->words; i++) {
		const struct known_word *word = &kept->known[i];

		if (values[i] != word->value + (word->points ? sp : 0))
			return false;
	}
	for (unsigned int i = 0; i < fixed; i++)
		places[i] = kept->known[kept->words + i].place;
	if (emu_target_gather(thread, places, values, fixed) != (ssize_t)fixed)
		return false;
	for (unsigned int i = 0; i < fixed; i++) {
		if (values[i] != kept->known[kept->words + i].value)
			return false;
	}
	return true;
}

/* One that was found with this stack pointer, or else with another. */
static struct kept *search(struct stacks *stacks, const struct emu_call *call,
	uint64_t sp, bool same_sp)
{
	pid_t process = call->thread->tgid;
	struct emu_list *pos;
	int tries = 0;

	emu_list_for_each (pos, bucket(stacks, call)) {
		struct kept *kept = emu_container_of(pos, struct kept, link);

		if (kept->ip != call->ip || kept->process != process ||
			(kept->sp == sp) != same_sp)
			continue;
		if (holds(kept, call->thread, sp))
			return kept;
		if (++tries == MOST_TRIES)
			break;
	}
	return NULL;
}

static struct trace_stack *find(
	struct stacks *stacks, const struct emu_call *call, uint64_t sp)
{
	struct kept *kept = search(stacks, call, sp, true);

	if (!kept)
		kept = search(stacks, call, sp, false);
	if (!kept)
		return NULL;
	kept->sp = sp;
	emu_list_remove(&kept->link);
	emu_list_add_head(&kept->link, bucket(stacks, call));
	return trace_stack_get(kept->stack);
}

static void know_word(struct known_word *known, const struct emu_walk *walk,
	const struct emu_unwind_word *word)
{
	const struct emu_range *stack =
		emu_modules_range(walk->modules, walk->sp);

	known->points =
		stack && word->value >= walk->sp && word->value < stack->end;
	known->place = word->address - walk->sp;
	known->value = word->value - (known->points ? walk->sp : 0);
}

/* Places are relative, so they may be negative. */
static void find_span(struct kept *kept)
{
	int64_t low = kept->words ? INT64_MAX : 0;
	int64_t high = kept->words ? INT64_MIN : 0;

	for (unsigned int i = 0; i < kept->words; i++) {
		int64_t place = (int64_t)kept->known[i].place;

		low = place < low ? place : low;
		high = place > high ? place : high;
	}
	kept->low = (uint64_t)low;
	kept->span = (uint64_t)high - (uint64_t)low + sizeof(uint64_t);
}

/* Words at fixed places: those that say what code it is. */
struct fixed {
	uint64_t places[FIXED];
	uint64_t values[FIXED];
	unsigned int count;
};

static void add_fixed(struct fixed *fixed, uint64_t place, unsigned int count)
{
	for (unsigned int i = 0; i < fixed->count; i++) {
		if (fixed->places[i] == place)
			return;
	}
	for (; count && fixed->count < FIXED; count--, place += 8)
		fixed->places[fixed->count++] = place;
}

/* False when there are too many, or some cannot be read. */
static bool find_fixed(struct fixed *fixed, const struct emu_walk *walk)
{
	uint64_t random = emu_modules_random(walk->thread->tid);

	fixed->count = 0;
	if (!random)
		return false;
	add_fixed(fixed, random, 2);
	for (unsigned int i = 0; i < walk->count; i++) {
		uint64_t ip = walk->frames[i].ip;
		const struct emu_module *module =
			emu_modules_find(walk->modules, walk->thread, ip);

		add_fixed(fixed, ip - CODE, 1);
		if (module)
			add_fixed(fixed, module->identity,
				module->identity_words);
	}
	return fixed->count < FIXED &&
	       emu_target_gather(walk->thread, fixed->places, fixed->values,
		       fixed->count) == (ssize_t)fixed->count;
}

/* Keeps the walk's stack, unless not all is known that it followed from. */
static void keep(struct stacks *stacks, const struct emu_call *call,
	struct trace_stack *stack)
{
	const struct emu_walk *walk = &stacks->walk;
	static struct fixed fixed;
	struct known_word *known;
	struct kept *kept;

	if (walk->forgot || !find_fixed(&fixed, walk))
		return;
	if (stacks->count == MOST_KEPT)
		drop_all(stacks);
	kept = calloc(1, sizeof(*kept) + (walk->word_count + fixed.count) *
						 sizeof(kept->known[0]));
	if (!kept)
		return;
	kept->process = call->thread->tgid;
	kept->ip = call->ip;
	kept->sp = walk->sp;
	kept->stack = trace_stack_get(stack);
	kept->words = walk->word_count;
	kept->all = walk->word_count + fixed.count;
	for (unsigned int i = 0; i < walk->word_count; i++)
		know_word(&kept->known[i], walk, &walk->words[i]);
	find_span(kept);
	known = &kept->known[walk->word_count];
	for (unsigned int i = 0; i < fixed.count; i++) {
		known[i].place = fixed.places[i];
		known[i].value = fixed.values[i];
	}
	emu_list_add_head(&kept->link, bucket(stacks, call));
	stacks->count++;
}

/* Names what the frame is in, as far as it can be known. */
static void name_frame(struct stacks *stacks, unsigned int i)
{
	struct emu_walk *walk = &stacks->walk;
	const struct emu_unwound *unwound = &walk->frames[i];
	struct trace_frame *frame = &stacks->frames[i];
	struct emu_symbol_answer *answer = &stacks->answers[i];
	/* What follows a call may be another function, or another line. */
	uint64_t at = unwound->ip - unwound->called;
	const struct emu_module *module =
		emu_modules_find(walk->modules, walk->thread, at);

	*frame = (struct trace_frame){
		.address = unwound->ip,
		.unsure = unwound->unsure,
		.module = module ? module->path : "",
		.function = "",
		.file = "",
	};
	if (!module)
		return;
	frame->module_address = unwound->ip - module->bias;
	if (emu_symbols_ask(stacks->symbols, walk->thread->tid, module,
		    EMU_SYMBOL_ADDRESS, at - module->bias, answer) < 0)
		return;
	frame->function = answer->function;
	frame->offset = answer->offset + unwound->called;
	frame->file = answer->file;
	frame->line = answer->line;
}

static struct trace_stack *name_all(struct stacks *stacks)
{
	const struct emu_walk *walk = &stacks->walk;

	for (unsigned int i = 0; i < walk->count; i++)
		name_frame(stacks, i);
	return trace_stack_create(stacks->frames, walk->count, walk->cut);
}

/* With `blind` NULL, with what there is; else only if that is enough. */
static struct trace_stack *unwind(struct stacks *stacks,
	const struct emu_call *call, uint64_t sp, const uint64_t *registers,
	bool *blind)
{
	struct emu_walk *walk = &stacks->walk;
	struct emu_modules modules;
	struct trace_stack *stack = NULL;

	walk->thread = call->thread;
	walk->modules = &modules;
	walk->symbols = stacks->symbols;
	walk->ip = call->ip;
	walk->sp = sp;
	walk->registers = registers;
	if (emu_modules_read(&modules, call->thread->tid) == 0) {
		emu_unwind(stacks->unwinder, walk);
		if (blind)
			*blind = walk->blind;
		if (!blind || !walk->blind)
			stack = name_all(stacks);
		if (stack && !walk->blind)
			keep(stacks, call, stack);
	}
	emu_modules_clear(&modules);
	return stack;
}

static struct trace_stack *take(
	void *ctx, const struct emu_call *call, bool *more)
{
	struct stacks *stacks = ctx;
	uint64_t *blind = blind_at(stacks, call);
	struct trace_stack *stack;
	uint64_t sp;

	/* A signal has woken it, and it waits for a processor. */
	*more = emu_target_stack(call->thread, &sp) < 0;
	if (*more)
		return NULL;
	stack = find(stacks, call, sp);
	*more = !stack && *blind == mix(call);
	if (stack || *more)
		return stack;
	stack = unwind(stacks, call, sp, NULL, more);
	if (*more)
		*blind = mix(call);
	return stack;
}

static struct trace_stack *take_more(
	void *ctx, const struct emu_call *call, const uint64_t *registers)
{
	uint64_t sp = registers ? registers[emu_arch_register_sp] : 0;

	if (!registers && emu_target_stack(call->thread, &sp) < 0)
		return NULL;
	return unwind(ctx, call, sp, registers, NULL);
}

static void destroy(void *ctx)
{
	struct stacks *stacks = ctx;

	drop_all(stacks);
	emu_unwinder_destroy(stacks->unwinder);
	emu_symbols_destroy(stacks->symbols);
	free(stacks);
}

const struct trace_stacks *emu_stacks_create(const struct emu_log *log)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return NULL;
	stacks->hooks.ctx = stacks;
	stacks->hooks.take = take;
	stacks->hooks.take_more = take_more;
	stacks->hooks.destroy = destroy;
	for (int i = 0; i < BUCKETS; i++)
		emu_list_init(&stacks->buckets[i]);
	stacks->symbols = emu_symbols_create(log);
	stacks->unwinder = emu_unwinder_create();
	if (stacks->symbols && stacks->unwinder)
		return &stacks->hooks;
	destroy(stacks);
	return NULL;
}
