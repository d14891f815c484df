/* SPDX-License-Identifier: MIT */
/*
 * Who has which file: a walk over the descriptor tables of all processes.
 *
 * A process that may not be looked at, because it is another user's, is taken
 * to have everything if it is one of the program's, which inherit files. A
 * stranger would have had to be given the file in a message; it is taken to
 * have none, or else nobody but root could ever be told of a hang. What the
 * program itself was given when it was started is no concern of this file.
 *
 * Not seen are a descriptor on its way in a message, and the table of a thread
 * that shares none with its process.
 */
#include "stats/holders.h"

#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/proc.h"

#define EVENTFD_LINK "anon_inode:[eventfd]"
#define EPOLL_LINK "anon_inode:[eventpoll]"

enum { LINK = 64, MOST_PARENTS = 64 };

struct search {
	const struct stats_source *sources;
	size_t count;
	void (*found)(void *ctx, size_t index, pid_t holder);
	void *ctx;
	bool kinds[STATS_SOURCE_MEMORY + 1]; /* that are looked for */
};

bool stats_holders_parse(const char *name, struct stats_source *source)
{
	unsigned long long id;

	*source = (struct stats_source){0};
	if (sscanf(name, "pipe:[%llu]", &id) == 1)
		source->kind = STATS_SOURCE_PIPE;
	else if (sscanf(name, "socket:[%llu]", &id) == 1)
		source->kind = STATS_SOURCE_SOCKET;
	else
		return false;
	source->id = id;
	return true;
}

int stats_holders_eventfd(pid_t process, int fd, struct stats_source *source)
{
	static const char key[] = "eventfd-id:";
	char path[64], text[512];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)process, fd);
	emu_proc_read(path, text, sizeof(text));
	at = strstr(text, key);
	if (!at)
		return -ENOENT;
	*source = (struct stats_source){
		.kind = STATS_SOURCE_EVENTFD,
		.id = strtoull(at + strlen(key), NULL, 10),
	};
	return 0;
}

static DIR *open_table(pid_t process)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)process);
	return opendir(path);
}

/*
 * The next descriptor and what it leads to. -ENOENT: there are no more;
 * -EACCES: they may not be looked at.
 */
static int next_descriptor(DIR *table, char link[LINK])
{
	const struct dirent *entry;

	while ((entry = readdir(table))) {
		ssize_t length =
			readlinkat(dirfd(table), entry->d_name, link, LINK - 1);

		if (length < 0 && errno == EACCES)
			return -EACCES;
		if (length <= 0)
			continue; /* "." and "..", or closed meanwhile */
		link[length] = '\0';
		return (int)strtol(entry->d_name, NULL, 10);
	}
	return -ENOENT;
}

static bool is_same(const struct stats_source *a, const struct stats_source *b)
{
	return a->kind == b->kind && a->id == b->id;
}

static int add_file(struct stats_files *files, const struct stats_source *file)
{
	struct stats_source *all = reallocarray(
		files->all, files->count + 1, sizeof(struct stats_source));

	if (!all)
		return -ENOMEM;
	files->all = all;
	files->all[files->count++] = *file;
	return 0;
}

int stats_holders_list(pid_t process, struct stats_files *files)
{
	DIR *table = open_table(process);
	struct stats_source file;
	char link[LINK];
	int rc = 0;

	*files = (struct stats_files){0};
	if (!table)
		return -errno;
	while (rc >= 0 && (rc = next_descriptor(table, link)) >= 0) {
		if (stats_holders_parse(link, &file))
			rc = add_file(files, &file);
	}
	closedir(table);
	return rc == -ENOENT ? 0 : rc;
}

bool stats_holders_listed(
	const struct stats_files *files, const struct stats_source *source)
{
	for (size_t i = 0; i < files->count; i++) {
		if (is_same(&files->all[i], source))
			return true;
	}
	return false;
}

/* Terminals and the devices that every program has take no files. */
static bool may_give_away(const char *link)
{
	static const char *const harmless[] = {"/dev/null", "/dev/zero",
		"/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
		"/dev/pts/", "/dev/ptmx", "/dev/console", "/dev/shm/"};

	if (strncmp(link, "anon_inode:", 11) == 0)
		return strstr(link, "uring") || strstr(link, "kvm");
	if (strncmp(link, "/dev/", 5) != 0)
		return false;
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		if (strncmp(link, harmless[i], strlen(harmless[i])) == 0)
			return false;
	}
	return true;
}

/* Asynchronous I/O has no descriptor, but shows in the map of memory. */
static bool has_aio(pid_t process)
{
	char path[48], line[512];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)process);
	maps = fopen(path, "re");
	if (!maps)
		return true;
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, "/[aio]");
	fclose(maps);
	return found;
}

bool stats_holders_kernel_has(pid_t process)
{
	DIR *table = open_table(process);
	char link[LINK];
	bool found = false;
	int fd;

	if (!table)
		return true;
	while (!found && (fd = next_descriptor(table, link)) != -ENOENT)
		found = fd < 0 || may_give_away(link);
	closedir(table);
	return found || has_aio(process);
}

static void compare_files(const struct search *search,
	const struct stats_source *file, pid_t holder)
{
	for (size_t i = 0; i < search->count; i++) {
		if (is_same(&search->sources[i], file))
			search->found(search->ctx, i, holder);
	}
}

/* Where the kernel has no kcmp(), all that could be the same is. */
static bool is_other(
	pid_t holder, int fd, const struct stats_source *source, int type)
{
	long order = syscall(
		SYS_kcmp, holder, source->process, type, fd, source->fd);

	return order > 0 || (order < 0 && errno != ENOSYS);
}

static void compare_by_kcmp(const struct search *search, pid_t holder, int fd,
	enum stats_source_kind kind)
{
	int type = kind == STATS_SOURCE_EPOLL ? KCMP_FILE : KCMP_VM;

	for (size_t i = 0; i < search->count; i++) {
		const struct stats_source *source = &search->sources[i];

		if (source->kind == kind && source->process != holder &&
			!is_other(holder, fd, source, type))
			search->found(search->ctx, i, holder);
	}
}

/* What a descriptor leads to, if it is of a kind that is looked for. */
static bool identify(const struct search *search, pid_t holder, int fd,
	const char *link, struct stats_source *file)
{
	if (strcmp(link, EVENTFD_LINK) == 0)
		return search->kinds[STATS_SOURCE_EVENTFD] &&
		       stats_holders_eventfd(holder, fd, file) == 0;
	return stats_holders_parse(link, file);
}

static void look_at(
	const struct search *search, pid_t holder, int fd, const char *link)
{
	struct stats_source file;

	if (strcmp(link, EPOLL_LINK) == 0)
		compare_by_kcmp(search, holder, fd, STATS_SOURCE_EPOLL);
	else if (identify(search, holder, fd, link, &file))
		compare_files(search, &file, holder);
}

static pid_t parent_of(pid_t process)
{
	char path[48], text[512];
	const char *at;
	int parent;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
	emu_proc_read(path, text, sizeof(text));
	at = strrchr(text, ')');
	return at && sscanf(at, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool is_descendant(pid_t process)
{
	for (int i = 0; i < MOST_PARENTS && process > 0; i++) {
		if (process == getpid())
			return true;
		process = parent_of(process);
	}
	return false;
}

/* How many there are. Errors: -EACCES when they may not be looked at. */
static int look_at_table(const struct search *search, pid_t holder)
{
	DIR *table = open_table(holder);
	char link[LINK];
	int fd, count = 0;

	if (!table)
		return -errno;
	while ((fd = next_descriptor(table, link)) >= 0) {
		look_at(search, holder, fd, link);
		count++;
	}
	closedir(table);
	return fd == -EACCES ? fd : count;
}

/* A leader that has ended has no table, its threads still have theirs. */
static int look_at_threads(const struct search *search, pid_t holder)
{
	const struct dirent *entry;
	char path[48];
	DIR *threads;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)holder);
	threads = opendir(path);
	if (!threads)
		return 0;
	while (count == 0 && (entry = readdir(threads))) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid > 0 && tid != holder)
			count = look_at_table(search, tid);
	}
	closedir(threads);
	return count;
}

static void look_at_process(const struct search *search, pid_t holder)
{
	int count = look_at_table(search, holder);

	if (count == 0)
		count = look_at_threads(search, holder);
	compare_by_kcmp(search, holder, 0, STATS_SOURCE_MEMORY);
	if (count != -EACCES || !is_descendant(holder))
		return;
	for (size_t i = 0; i < search->count; i++)
		search->found(search->ctx, i, holder);
}

bool stats_holders_each(const struct stats_source *sources, size_t count,
	void (*found)(void *ctx, size_t index, pid_t holder), void *ctx)
{
	struct search search = {
		.sources = sources,
		.count = count,
		.found = found,
		.ctx = ctx,
	};
	const struct dirent *entry;
	DIR *processes = opendir("/proc");

	if (!processes)
		return false;
	for (size_t i = 0; i < count; i++)
		search.kinds[sources[i].kind] = true;
	while ((entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && pid != getpid())
			look_at_process(&search, pid);
	}
	closedir(processes);
	return true;
}
