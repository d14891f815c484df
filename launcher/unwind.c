/* SPDX-License-Identifier: MIT */
/*
 * Unwinding a thread of the program from outside, by libunwind and the unwind
 * tables (CFI) in the program's memory.
 *
 * libunwind's own way to do that takes a ptrace stop. Here it asks for what it
 * needs through callbacks: memory comes from process_vm_readv(2), a page at a
 * time; tables are found by the index in each module; and of registers only
 * two are known, of a thread in a call: the instruction and the stack pointer.
 * That is enough as long as each function says where its frame is by the
 * stack pointer, which is so for code compiled without frame pointers, or has
 * saved what its caller needs. `blind` tells when it was not enough.
 *
 * The words of the stack that were read are noted. The frames follow from
 * them, the two registers and the code alone (and from the other registers, if
 * they were given).
 *
 * Some functions have no table. The short ones around a system call (musl,
 * Go) are left by the word nearest to the stack pointer that looks like where
 * a call goes on; of others (code made at run time) libunwind follows the
 * chain of frame pointers. Both are guesses; the frame that is found so and
 * all after it are marked as unsure.
 *
 * Tables and stack are the program's to write. All that libunwind reads passes
 * through here, and the number of reads is limited, so a table that runs in a
 * circle comes to an end.
 */
#define _GNU_SOURCE
#include "launcher/unwind.h"

#include <dwarf.h>
#include <libunwind.h>
#include <stdlib.h>
#include <string.h>

#include "emu/arch.h"
#include "launcher/ehframe.h"

enum { PAGE = 4096, PAGES = 256, MOST_READS = 1000000, MOST_PAGES = 2048 };

/* Functions without a table around a call, and words of the stack of each. */
enum { MOST_SHORT = 4, SHORT_WORDS = 32 };

/* Where libunwind is told that a made index lies: nobody's address. */
#define MADE_AT (1ull << 63)

/* Exported by libunwind for those who find tables themselves. */
#define search_table UNW_OBJ(dwarf_search_unwind_table)
extern int search_table(unw_addr_space_t space, unw_word_t ip,
	unw_dyn_info_t *table, unw_proc_info_t *info, int need, void *arg);

struct page {
	uint64_t address;
	uint64_t walk; /* that it was read in */
	bool is_stack; /* of no module */
	unsigned char bytes[PAGE];
};

struct emu_unwinder {
	unw_addr_space_t space;
	struct emu_walk *walk;
	uint64_t walks;
	unsigned int reads;
	unsigned int pages_read;
	bool has_table; /* the function that was asked for last */
	uint64_t ip; /* where libunwind begins */
	uint64_t sp;
	const struct emu_module *made; /* whose index is at MADE_AT */
	struct page pages[PAGES];
};

static const struct page *page_of(
	struct emu_unwinder *unwinder, uint64_t address)
{
	uint64_t begin = address & ~(uint64_t)(PAGE - 1);
	struct page *page = &unwinder->pages[begin / PAGE % PAGES];
	const struct emu_range *range;

	if (page->walk == unwinder->walks && page->address == begin)
		return page;
	range = emu_modules_range(unwinder->walk->modules, begin);
	if (!range || ++unwinder->pages_read > MOST_PAGES)
		return NULL;
	page->walk = 0;
	if (emu_target_read(unwinder->walk->thread, begin, page->bytes, PAGE) <
		0)
		return NULL;
	page->address = begin;
	page->walk = unwinder->walks;
	page->is_stack = range->module < 0;
	return page;
}

static void note(struct emu_walk *walk, uint64_t address, uint64_t value)
{
	for (unsigned int i = 0; i < walk->word_count; i++) {
		if (walk->words[i].address == address)
			return;
	}
	if (walk->word_count == EMU_UNWIND_WORDS) {
		walk->forgot = true;
		return;
	}
	walk->words[walk->word_count].address = address;
	walk->words[walk->word_count++].value = value;
}

static int read_made(
	const struct emu_unwinder *unwinder, uint64_t at, unw_word_t *value)
{
	if (!unwinder->made || at + sizeof(*value) > unwinder->made->made_size)
		return -UNW_EINVAL;
	memcpy(value, unwinder->made->made + at, sizeof(*value));
	return 0;
}

static int access_mem(unw_addr_space_t space, unw_word_t address,
	unw_word_t *value, int write, void *arg)
{
	struct emu_unwinder *unwinder = arg;
	bool is_stack = false;
	size_t done = 0;

	(void)space;
	if (write || ++unwinder->reads > MOST_READS)
		return -UNW_EINVAL;
	if (address >= MADE_AT)
		return read_made(unwinder, address - MADE_AT, value);
	while (done < sizeof(*value)) {
		const struct page *page = page_of(unwinder, address + done);
		size_t at = (address + done) % PAGE;
		size_t part = PAGE - at;

		if (!page)
			return -UNW_EINVAL;
		if (part > sizeof(*value) - done)
			part = sizeof(*value) - done;
		memcpy((char *)value + done, page->bytes + at, part);
		is_stack |= page->is_stack;
		done += part;
	}
	if (is_stack)
		note(unwinder->walk, address, *value);
	return 0;
}

static int access_reg(unw_addr_space_t space, unw_regnum_t number,
	unw_word_t *value, int write, void *arg)
{
	struct emu_unwinder *unwinder = arg;
	struct emu_walk *walk = unwinder->walk;

	(void)space;
	if (write || number < 0 || number >= emu_arch_registers)
		return -UNW_EBADREG;
	if (number == emu_arch_register_sp) {
		*value = unwinder->sp;
	} else if (number == emu_arch_registers - 1) {
		*value = unwinder->ip;
	} else if (walk->registers) {
		*value = walk->registers[number];
	} else {
		walk->blind = true;
		return -UNW_EBADREG;
	}
	return 0;
}

static int access_fpreg(unw_addr_space_t space, unw_regnum_t number,
	unw_fpreg_t *value, int write, void *arg)
{
	(void)space;
	(void)number;
	(void)value;
	(void)write;
	(void)arg;
	return -UNW_EBADREG;
}

/* libunwind wants it for code that was registered at run time. */
static int no_list(unw_addr_space_t space, unw_word_t *address, void *arg)
{
	(void)space;
	(void)address;
	(void)arg;
	return -UNW_ENOINFO;
}

static int no_resume(unw_addr_space_t space, unw_cursor_t *cursor, void *arg)
{
	(void)space;
	(void)cursor;
	(void)arg;
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t space, unw_word_t address, char *name,
	size_t size, unw_word_t *offset, void *arg)
{
	(void)space;
	(void)address;
	(void)name;
	(void)size;
	(void)offset;
	(void)arg;
	return -UNW_ENOINFO;
}

static void make_index(struct emu_walk *walk, struct emu_module *module)
{
	struct emu_symbol_answer answer;

	module->indexed = true;
	if (emu_symbols_ask(walk->symbols, walk->thread->tid, module,
		    EMU_SYMBOL_FRAMES, 0, &answer) == 0 &&
		answer.size)
		emu_ehframe_index(module, walk->thread,
			answer.address + module->bias, answer.size);
}

/* Says where the table of the module's index is; false when it has none. */
static bool find_index(struct emu_unwinder *unwinder, struct emu_module *module,
	unw_dyn_info_t *table)
{
	struct emu_walk *walk = unwinder->walk;
	struct {
		unsigned char version, frames, count, table;
		int32_t frames_at;
		uint32_t entries;
	} head;

	table->format = UNW_INFO_FORMAT_REMOTE_TABLE;
	table->start_ip = module->start;
	table->end_ip = module->end;
	if (module->index &&
		emu_target_read(walk->thread, module->index, &head,
			sizeof(head)) == 0 &&
		head.version == 1 && head.count == DW_EH_PE_udata4 &&
		(head.frames & 0x0f) == DW_EH_PE_sdata4 &&
		head.table == (DW_EH_PE_datarel | DW_EH_PE_sdata4)) {
		table->u.rti.segbase = module->index;
		table->u.rti.table_data = module->index + sizeof(head);
		table->u.rti.table_len = head.entries;
		return true;
	}
	if (!module->indexed)
		make_index(walk, module);
	unwinder->made = module;
	table->u.rti.segbase = module->start;
	table->u.rti.table_data = MADE_AT;
	table->u.rti.table_len = module->made_size / sizeof(unw_word_t);
	return module->made_size > 0;
}

static int find_proc_info(unw_addr_space_t space, unw_word_t ip,
	unw_proc_info_t *info, int need, void *arg)
{
	struct emu_unwinder *unwinder = arg;
	struct emu_walk *walk = unwinder->walk;
	struct emu_module *module =
		emu_modules_find(walk->modules, walk->thread, ip);
	unw_dyn_info_t table = {0};
	int rc = -UNW_ENOINFO;

	if (module && find_index(unwinder, module, &table))
		rc = search_table(space, ip, &table, info, need, arg);
	unwinder->has_table = rc == 0;
	/* Any other errno would end the walk. */
	return rc == 0 ? 0 : -UNW_ENOINFO;
}

/* What search_table() allocated is freed by libunwind itself. */
static void put_unwind_info(
	unw_addr_space_t space, unw_proc_info_t *info, void *arg)
{
	(void)space;
	(void)arg;
	(void)info;
}

struct emu_unwinder *emu_unwinder_create(void)
{
	static unw_accessors_t accessors = {
		.find_proc_info = find_proc_info,
		.put_unwind_info = put_unwind_info,
		.get_dyn_info_list_addr = no_list,
		.access_mem = access_mem,
		.access_reg = access_reg,
		.access_fpreg = access_fpreg,
		.resume = no_resume,
		.get_proc_name = no_name,
	};
	struct emu_unwinder *unwinder = calloc(1, sizeof(*unwinder));

	if (!unwinder)
		return NULL;
	unwinder->space = unw_create_addr_space(&accessors, 0);
	if (!unwinder->space) {
		free(unwinder);
		return NULL;
	}
	/* Its cache would have to hear of exec and dlopen. */
	unw_set_caching_policy(unwinder->space, UNW_CACHE_NONE);
	return unwinder;
}

void emu_unwinder_destroy(struct emu_unwinder *unwinder)
{
	if (!unwinder)
		return;
	unw_destroy_addr_space(unwinder->space);
	free(unwinder);
}

static void add_frame(
	struct emu_walk *walk, uint64_t ip, bool called, bool unsure)
{
	struct emu_unwound *frame = &walk->frames[walk->count++];

	frame->ip = ip;
	frame->called = called;
	frame->unsure = unsure;
}

/* Where the function begins that the address is in; 0 when not known. */
static uint64_t function_of(struct emu_walk *walk, uint64_t address)
{
	const struct emu_module *module =
		emu_modules_find(walk->modules, walk->thread, address);
	struct emu_symbol_answer answer;

	if (!module || emu_symbols_ask(walk->symbols, walk->thread->tid, module,
			       EMU_SYMBOL_ADDRESS, address - module->bias,
			       &answer) < 0)
		return 0;
	return answer.function[0] ? address - answer.offset : 0;
}

/* Is it code, behind an instruction that calls? *target: what. */
static bool follows_call(
	struct emu_unwinder *unwinder, uint64_t address, uint64_t *target)
{
	const struct emu_range *range =
		emu_modules_range(unwinder->walk->modules, address);
	uint64_t code;

	return range && range->module >= 0 && range->executable &&
	       address - range->start >= sizeof(code) &&
	       emu_target_read(unwinder->walk->thread, address - sizeof(code),
		       &code, sizeof(code)) == 0 &&
	       emu_arch_ends_with_call(&code, address, target);
}

/*
 * Leaves a short function without a table; see above. A word behind a call of
 * this very function comes before others that are nearer: those may be left
 * over from earlier calls. Of the words only that one is noted; what else lies
 * there changes from call to call.
 */
static bool leave_short(struct emu_unwinder *unwinder, unw_cursor_t *cursor,
	uint64_t ip, uint64_t sp)
{
	struct emu_walk *walk = unwinder->walk;
	unsigned int noted = walk->word_count;
	uint64_t function = function_of(walk, ip);
	bool forgot = walk->forgot;
	uint64_t target;
	unw_word_t word;

	unwinder->ip = 0;
	for (int i = 0; i < SHORT_WORDS; i++, sp += sizeof(word)) {
		if (access_mem(unwinder->space, sp, &word, 0, unwinder) < 0)
			break;
		if (!follows_call(unwinder, word, &target) ||
			(unwinder->ip && (!function || target != function)))
			continue;
		unwinder->ip = word;
		unwinder->sp = sp + sizeof(word);
		if (function && target == function)
			break;
	}
	walk->word_count = noted;
	walk->forgot = forgot;
	if (!unwinder->ip)
		return false;
	note(walk, unwinder->sp - sizeof(word), unwinder->ip);
	return unw_init_remote(cursor, unwinder->space, unwinder) == 0;
}

/*
 * One frame outwards: what unw_step() returns, and where the frame goes on.
 * `short_ones`: how many functions without a table may be left so.
 */
static int step(struct emu_unwinder *unwinder, unw_cursor_t *cursor,
	int *short_ones, uint64_t *ip)
{
	bool was_blind = unwinder->walk->blind;
	unw_cursor_t before = *cursor;
	unw_word_t at = 0, value = 0;
	int rc;

	unwinder->has_table = false;
	unw_get_reg(cursor, UNW_REG_IP, &at);
	unw_get_reg(cursor, UNW_REG_SP, &value);
	rc = unw_step(cursor);
	if (unwinder->has_table) {
		*short_ones = 0;
	} else if (*short_ones > 0) {
		--*short_ones;
		if (leave_short(unwinder, &before, at, value)) {
			*cursor = before;
			unwinder->walk->blind = was_blind;
			rc = 1;
		}
	}
	if (rc > 0 && unw_get_reg(cursor, UNW_REG_IP, &value) < 0)
		return -UNW_EINVAL;
	*ip = value;
	return rc;
}

static void follow(struct emu_unwinder *unwinder, unw_cursor_t *cursor)
{
	struct emu_walk *walk = unwinder->walk;
	int short_ones = MOST_SHORT;
	bool unsure = false;

	while (walk->count < EMU_UNWIND_FRAMES) {
		bool signal = unw_is_signal_frame(cursor) > 0;
		uint64_t ip = 0;
		int rc = step(unwinder, cursor, &short_ones, &ip);

		unsure |= !unwinder->has_table && !signal;
		walk->cut = rc < 0;
		/* A guess leads anywhere; a frame is in a mapping. */
		if (rc <= 0 || !ip ||
			(unsure && !emu_modules_range(walk->modules, ip)))
			return;
		add_frame(walk, ip, !signal, unsure);
	}
	walk->cut = true;
}

void emu_unwind(struct emu_unwinder *unwinder, struct emu_walk *walk)
{
	unw_cursor_t cursor;

	unwinder->walk = walk;
	unwinder->walks++;
	unwinder->reads = 0;
	unwinder->pages_read = 0;
	unwinder->made = NULL;
	unwinder->ip = walk->ip;
	unwinder->sp = walk->sp;
	walk->count = 0;
	walk->word_count = 0;
	walk->cut = walk->blind = walk->forgot = false;
	add_frame(walk, walk->ip, true, false);
	if (unw_init_remote(&cursor, unwinder->space, unwinder) == 0)
		follow(unwinder, &cursor);
	else
		walk->cut = true;
}
