/* SPDX-License-Identifier: MIT */
/*
 * Calls from known places, for the test of --stack. It is built several times,
 * with and without frame pointers, unwind tables, symbols, a C library that is
 * loaded. The first argument names the case.
 *
 * Each case ends in a write to an eventfd by leaf(), so the frames of that are
 * known: what is called is in the source, in one order. Nothing is inlined,
 * cloned or called by a jump, else frames would be missing.
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#if __has_attribute(noclone)
#define KEPT __attribute__((noinline, noclone))
#else
#define KEPT __attribute__((noinline))
#endif

static int event;
static volatile int sink;

KEPT static void leaf(void)
{
	uint64_t one = 1;

	if (write(event, &one, sizeof(one)) != sizeof(one))
		abort();
	sink++;
}

KEPT static void middle(void)
{
	leaf();
	sink++;
}

KEPT static void outer(void)
{
	middle();
	sink++;
}

/* The frame's size is known at run time only. */
KEPT static void grown(size_t size)
{
	char *room = alloca(size);

	memset(room, 1, size);
	sink += room[size / 2];
	leaf();
	sink += room[size / 3];
}

KEPT static void grow(void)
{
	for (int i = 0; i < 40; i++)
		grown(16 + (size_t)(i / 2 % 5) * 48);
	sink++;
}

KEPT static void deep(int depth)
{
	if (depth)
		deep(depth - 1);
	else
		leaf();
	sink++;
}

KEPT static void deep_twice(void)
{
	deep(20);
	deep(500);
	sink++;
}

/* One call, reached in different ways by turns. */
KEPT static void callers(void)
{
	for (int i = 0; i < 3; i++) {
		outer();
		middle();
		grown(64);
		leaf();
	}
	sink++;
}

static void tick(int number)
{
	(void)number;
	sink++;
}

/*
 * Signals without SA_RESTART, and stacks that differ from call to call. No
 * write may fail or come twice.
 */
KEPT static void storm(void)
{
	struct sigaction action = {.sa_handler = tick};
	struct itimerval often = {{0, 150}, {0, 150}};
	struct itimerval never = {{0, 0}, {0, 0}};
	uint64_t count = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (size_t i = 0; i < 1500; i++)
		grown(16 + i % 200 * 16);
	setitimer(ITIMER_REAL, &never, NULL);
	if (read(event, &count, sizeof(count)) != sizeof(count))
		abort();
	printf("%llu\n", (unsigned long long)count);
}

/* Waits that sleep, one of them under a mask of its own. */
KEPT static void wait_in(int epoll, size_t size)
{
	char *room = alloca(size);
	struct epoll_event got;
	sigset_t mask;

	memset(room, 1, size);
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	if (epoll_wait(epoll, &got, 1, 10) != 0 ||
		epoll_pwait(epoll, &got, 1, 10, &mask) != 0)
		abort();
	sink += room[size / 2];
}

KEPT static void waits(void)
{
	int epoll = epoll_create1(0);

	for (int i = 0; i < 8; i++)
		wait_in(epoll, 16 + (size_t)(i / 2 % 5) * 48);
	sink++;
}

static void *in_thread(void *unused)
{
	outer();
	return unused;
}

KEPT static void threads(void)
{
	pthread_t ids[8];

	for (int i = 0; i < 8; i++)
		pthread_create(&ids[i], NULL, in_thread, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(ids[i], NULL);
}

static void handler(int number)
{
	(void)number;
	outer();
	sink++;
}

/* Nothing but the kernel calls handler(). */
KEPT static void handle(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	sink++;
}

KEPT static void fork_one(void)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		outer();
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || status)
		abort();
	outer();
}

/* Two calls from different places, the second when it is told to go on. */
KEPT static void twice(void)
{
	middle();
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		abort();
	outer();
}

/* Is itself, with another case, and with the eventfd kept. */
KEPT static void execute(void)
{
	char number[16];

	middle();
	snprintf(number, sizeof(number), "%d", event);
	execl("/proc/self/exe", "stacks", "plain", number, (char *)NULL);
	abort();
}

#ifdef WITH_TABLES
/* Its unwind table says where its frame is by an expression without an end. */
KEPT static void circle(void)
{
	__asm__ volatile(".cfi_remember_state\n\t"
			 ".cfi_escape 0x0f, 0x03, 0x2f, 0xfd, 0xff");
	leaf();
	sink++;
	__asm__ volatile(".cfi_restore_state");
}
#endif

/* Another file takes the place of the program's. */
KEPT static void replace(const char *by, const char *own)
{
	if (rename(by, own) < 0)
		abort();
	outer();
}

#ifdef WITH_LIBRARIES
/* Two libraries, one after the other and mostly in the same place. */
KEPT static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW);
	void (*call)(void (*)(void)) = NULL;

	if (library)
		*(void **)&call = dlsym(library, "call");
	if (!call) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	call(leaf);
	dlclose(library);
}
#endif

#ifdef __x86_64__
/* write(2) with another stack pointer, and what else may be a lie. */
KEPT static void write_with(void *stack, void *frame)
{
	uint64_t one = 1;
	long result = SYS_write;

	__asm__ volatile("mov %%rsp, %%r12\n\t"
			 "mov %%rbp, %%r13\n\t"
			 "mov %[stack], %%rsp\n\t"
			 "mov %[frame], %%rbp\n\t"
			 "syscall\n\t"
			 "mov %%r13, %%rbp\n\t"
			 "mov %%r12, %%rsp\n\t"
			 : "+a"(result)
			 : [stack] "r"(stack), [frame] "r"(frame),
			 "D"((long)event), "S"(&one), "d"(sizeof(one))
			 : "rcx", "r11", "r12", "r13", "memory");
	if (result != sizeof(one))
		abort();
	sink++;
}

/* Stacks that are no stacks. */
KEPT static void lie(void)
{
	size_t size = 1 << 20;
	uint64_t *room = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t count = size / sizeof(*room) / 2;

	if (room == MAP_FAILED || munmap(room + count, size / 2) < 0)
		abort();
	for (size_t i = 0; i < count; i++)
		room[i] = 0x9e3779b97f4a7c15u * i;
	write_with(room, room); /* garbage */
	write_with(room + count - 1, room + count - 1); /* the last word */
	write_with(room + count, room + count); /* not mapped */
	write_with((void *)8, (void *)1);
	write_with((void *)-8, (void *)-16);
	/* Frame pointers and return addresses in a circle. */
	for (size_t i = 0; i < count; i += 2) {
		room[i] = (uintptr_t)&room[(i + 2) % 64];
		room[i + 1] = (uintptr_t)write_with + 16;
	}
	write_with(room, room);
	/* Each frame calls lie(). */
	for (size_t i = 0; i < count; i++)
		room[i] = (uintptr_t)__builtin_return_address(0);
	write_with(room, room + 64);
	/* Frames into the instruction pointer's own table, and back. */
	for (size_t i = 0; i < count; i++)
		room[i] = (uintptr_t)&room[(i * 7) % count];
	write_with(room, room);
	sink++;
}
#endif

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{"plain", outer},
	{"alloca", grow},
	{"callers", callers},
	{"deep", deep_twice},
	{"threads", threads},
	{"waits", waits},
	{"signal", handle},
	{"fork", fork_one},
	{"twice", twice},
	{"exec", execute},
	{"storm", storm},
#ifdef WITH_TABLES
	{"circle", circle},
#endif
#ifdef __x86_64__
	{"lie", lie},
#endif
};

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	event = argc > 2 && strcmp(argv[1], "plain") == 0 ? atoi(argv[2])
							  : eventfd(0, 0);
	if (argc == 4 && strcmp(argv[1], "replace") == 0) {
		replace(argv[2], argv[3]);
		return 0;
	}
#ifdef WITH_LIBRARIES
	if (strcmp(argv[1], "load") == 0) {
		for (int i = 2; i < argc; i++)
			load(argv[i]);
		return 0;
	}
#endif
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (strcmp(cases[i].name, argv[1]) == 0) {
			cases[i].run();
			return 0;
		}
	}
	return 2;
}
