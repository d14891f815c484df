/* SPDX-License-Identifier: MIT */
/*
 * epemu-symbols: names for addresses.
 *
 * Symbols, also those of separate debug files, and lines come from libdw,
 * demangling (C++ and both manglings of Rust) from libiberty. It is a program
 * of its own because these are large: epemu starts faster without them, and a
 * file that breaks them breaks no more than this process, which has nothing
 * but a socket and a limit of memory. symbols.c starts it and asks.
 *
 * A file is opened by its mapping where the right to do so is there, which is
 * certain; else by its path, as the process has it, if that still has the
 * inode that is mapped. Files stay open, the latest few, with the answers that
 * were given: libdw searches all symbols for each address.
 */
#define _GNU_SOURCE
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dwarf.h>
#include <libiberty/demangle.h>

#include "emu/table.h"
#include "launcher/symbols.h"

enum { FILES = 32, MOST_KNOWN = 8192 };

struct file {
	dev_t dev;
	ino_t inode;
	off_t size;
	struct timespec changed;
	Dwfl *dwfl; /* NULL: a free slot */
	Dwfl_Module *module; /* NULL: no ELF file */
	struct emu_table known; /* answers, by address */
};

static struct file files[FILES];
static unsigned int next_file;

static int try_open(const char *path, uint64_t inode, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_ino == inode)
		return fd;
	close(fd);
	return -1;
}

static int open_file(
	const struct emu_symbol_question *question, struct stat *st)
{
	char path[sizeof(question->path) + 64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx",
		(int)question->tid, (unsigned long long)question->start,
		(unsigned long long)question->end);
	fd = try_open(path, question->inode, st);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)question->tid,
		question->path);
	return try_open(path, question->inode, st);
}

static void copy(char *to, const char *from, size_t size)
{
	snprintf(to, size, "%s", from);
}

/* An answer that was given, in as little room as it takes. */
struct known {
	uint64_t offset;
	unsigned int line;
	char *function;
	char file[];
};

static void forget_answer(void *ctx, void *value)
{
	struct known *known = value;

	(void)ctx;
	free(known->function);
	free(known);
}

static void remember(struct file *file, uint64_t address,
	const struct emu_symbol_answer *answer)
{
	size_t size = strlen(answer->file) + 1;
	struct known *known = malloc(sizeof(*known) + size);

	if (!known)
		return;
	if (file->known.count >= MOST_KNOWN)
		emu_table_clear(&file->known, forget_answer, NULL);
	known->offset = answer->offset;
	known->line = answer->line;
	known->function = strdup(answer->function);
	memcpy(known->file, answer->file, size);
	if (!known->function || emu_table_set(&file->known, address, known) < 0)
		forget_answer(NULL, known);
}

static bool recall(const struct file *file, uint64_t address,
	struct emu_symbol_answer *answer)
{
	const struct known *known = emu_table_get(&file->known, address);

	if (!known)
		return false;
	answer->offset = known->offset;
	answer->line = known->line;
	copy(answer->function, known->function, sizeof(answer->function));
	copy(answer->file, known->file, sizeof(answer->file));
	return true;
}

/* Takes over `fd`. */
static void read_file(struct file *file, int fd)
{
	static const Dwfl_Callbacks callbacks = {
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};

	file->dwfl = dwfl_begin(&callbacks);
	if (file->dwfl) {
		dwfl_report_begin(file->dwfl);
		file->module = dwfl_report_elf(
			file->dwfl, "program", "program", fd, 0, true);
		dwfl_report_end(file->dwfl, NULL, NULL);
	}
	if (!file->module)
		close(fd);
}

static bool is_file(const struct file *file, const struct stat *st)
{
	return file->dwfl && file->dev == st->st_dev &&
	       file->inode == st->st_ino && file->size == st->st_size &&
	       file->changed.tv_sec == st->st_ctim.tv_sec &&
	       file->changed.tv_nsec == st->st_ctim.tv_nsec;
}

static struct file *find_file(const struct emu_symbol_question *question)
{
	struct file *file;
	struct stat st;
	int fd = open_file(question, &st);

	if (fd < 0)
		return NULL;
	for (unsigned int i = 0; i < FILES; i++) {
		if (is_file(&files[i], &st)) {
			close(fd);
			return &files[i];
		}
	}
	file = &files[next_file++ % FILES];
	if (file->dwfl)
		dwfl_end(file->dwfl);
	emu_table_clear(&file->known, forget_answer, NULL);
	*file = (struct file){
		.dev = st.st_dev,
		.inode = st.st_ino,
		.size = st.st_size,
		.changed = st.st_ctim,
	};
	read_file(file, fd);
	return file;
}

static void find_function(
	Dwfl_Module *module, uint64_t address, struct emu_symbol_answer *answer)
{
	char *plain;
	GElf_Off offset = 0;
	GElf_Sym symbol;
	const char *name = dwfl_module_addrinfo(
		module, address, &offset, &symbol, NULL, NULL, NULL);

	if (!name || GELF_ST_TYPE(symbol.st_info) == STT_SECTION)
		return;
	plain = cplus_demangle(name, DMGL_AUTO | DMGL_ANSI | DMGL_PARAMS);
	copy(answer->function, plain ? plain : name, sizeof(answer->function));
	if (!plain) /* "epoll_wait@@GLIBC_2.3.2" */
		answer->function[strcspn(answer->function, "@")] = '\0';
	answer->offset = offset;
	free(plain);
}

/*
 * The unit of the source that the address is in. Where the compiler left no
 * index of them, as clang does, all are gone through.
 */
static Dwarf_Die *find_unit(
	Dwfl_Module *module, uint64_t address, Dwarf_Addr *bias)
{
	Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);

	if (unit)
		return unit;
	while ((unit = dwfl_module_nextcu(module, unit, bias))) {
		if (dwarf_haspc(unit, address - *bias) > 0)
			return unit;
	}
	return NULL;
}

/*
 * What was inlined there, seen from the function that is named; false if
 * nothing was.
 */
static bool find_outermost(Dwarf_Die *unit, uint64_t address, Dwarf_Die *found)
{
	Dwarf_Die *scopes = NULL;
	Dwarf_Die *parents = NULL;
	bool any = false;
	int count = 0;

	/* Beyond what was inlined these are the scopes of its definition. */
	if (dwarf_getscopes(unit, address, &scopes) > 0)
		count = dwarf_getscopes_die(&scopes[0], &parents);
	for (int i = 0; i < count; i++) {
		if (dwarf_tag(&parents[i]) != DW_TAG_inlined_subroutine)
			continue;
		*found = parents[i];
		any = true;
	}
	free(scopes);
	free(parents);
	return any;
}

static uint64_t number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value = 0;

	if (!dwarf_attr(die, name, &attribute) ||
		dwarf_formudata(&attribute, &value) < 0)
		return 0;
	return value;
}

/* The line of the function that is named, not of what was inlined into it. */
static void find_line(
	Dwfl_Module *module, uint64_t address, struct emu_symbol_answer *answer)
{
	Dwarf_Addr bias = 0;
	Dwarf_Die *unit = find_unit(module, address, &bias);
	const char *name = NULL;
	Dwarf_Files *sources;
	Dwarf_Die inlined;
	Dwarf_Line *line;
	int number = 0;

	if (!unit)
		return;
	if (find_outermost(unit, address - bias, &inlined)) {
		number = (int)number_of(&inlined, DW_AT_call_line);
		if (dwarf_getsrcfiles(unit, &sources, NULL) == 0)
			name = dwarf_filesrc(sources,
				number_of(&inlined, DW_AT_call_file), NULL,
				NULL);
	} else {
		line = dwarf_getsrc_die(unit, address - bias);
		if (line && dwarf_lineno(line, &number) == 0)
			name = dwarf_linesrc(line, NULL, NULL);
	}
	if (!name || number <= 0)
		return;
	copy(answer->file, name, sizeof(answer->file));
	answer->line = (unsigned int)number;
}

static void find_frames(Dwfl_Module *module, struct emu_symbol_answer *answer)
{
	GElf_Addr bias;
	Elf *elf = dwfl_module_getelf(module, &bias);
	Elf_Scn *section = NULL;
	size_t names;

	if (!elf || elf_getshdrstrndx(elf, &names) < 0)
		return;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, ".eh_frame") != 0 ||
			!(header.sh_flags & SHF_ALLOC))
			continue;
		answer->address = header.sh_addr;
		answer->size = header.sh_size;
	}
}

static void answer_question(const struct emu_symbol_question *question,
	struct emu_symbol_answer *answer)
{
	struct file *file = find_file(question);

	if (!file || !file->module)
		return;
	if (question->kind == EMU_SYMBOL_FRAMES) {
		find_frames(file->module, answer);
		return;
	}
	if (recall(file, question->address, answer))
		return;
	find_function(file->module, question->address, answer);
	find_line(file->module, question->address, answer);
	remember(file, question->address, answer);
}

/* So much more than the process has now, which a sanitizer makes plenty. */
static void limit_memory(void)
{
	static const rlim_t more = 2ul << 30;
	unsigned long data = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	struct rlimit limit;

	if (!file)
		return;
	if (fscanf(file, "%*u %*u %*u %*u %*u %lu", &data) == 1) {
		limit.rlim_cur = limit.rlim_max =
			data * (rlim_t)sysconf(_SC_PAGESIZE) + more;
		setrlimit(RLIMIT_DATA, &limit);
	}
	fclose(file);
}

static void set_up_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The argument is the number of the socket. */
int main(int argc, char **argv)
{
	static struct emu_symbol_question question;
	static struct emu_symbol_answer answer;
	struct rlimit no_core = {0};
	int socket = argc == 2 ? atoi(argv[1]) : -1;

	set_up_signals();
	setrlimit(RLIMIT_CORE, &no_core);
	limit_memory();
	clearenv(); /* libdw would ask servers that it names */
	while (recv(socket, &question, sizeof(question), 0) ==
		sizeof(question)) {
		question.path[sizeof(question.path) - 1] = '\0';
		answer = (struct emu_symbol_answer){0};
		answer_question(&question, &answer);
		if (send(socket, &answer, sizeof(answer), MSG_NOSIGNAL) !=
			sizeof(answer))
			break;
	}
	_exit(0);
}
