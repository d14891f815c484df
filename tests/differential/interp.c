/* SPDX-License-Identifier: MIT */
/*
 * Runs programs of the differential test and prints their results:
 *
 *	interp FILE...
 *
 * A FILE holds one program or more, see program.h; `-` is the standard input.
 * Each runs in a process of its own, so that nothing of it is left for the
 * next one. What is printed depends on the program and the kernel alone: no
 * pids, no times, no addresses. Whether the kernel's epoll and eventfd answer
 * the calls or epemu's, this program cannot tell and does not ask.
 *
 * Exit status: 0, or 2 if a FILE cannot be read or understood, or 77 if the
 * kernel has no sock_diag(7).
 */
#define _GNU_SOURCE
#include "delivery.h"
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct program program;

/* The program's own standard streams are empty. */
static void run_child(void)
{
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
	FILE *to = fdopen(out, "w");
	int null = open("/dev/null", O_RDWR);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setvbuf(to, NULL, _IOLBF, 0);
	for (int fd = 0; fd < 2; fd++)
		dup2(null, fd);
	close(null);
	world_run(&program, to);
	fclose(to);
	_exit(0);
}

static void run_program(void)
{
	int status;

	printf("program %s\n", program.name);
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0)
		run_child();
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		printf("cannot fork: %s\n", strerror(errno));
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		printf("not ended: status 0x%x\n", (unsigned)status);
}

static void run_file(const char *name)
{
	FILE *from = strcmp(name, "-") == 0 ? stdin : fopen(name, "re");

	if (!from) {
		fprintf(stderr, "%s: %s\n", name, strerror(errno));
		exit(2);
	}
	while (program_read(&program, from, name))
		run_program();
	if (from != stdin)
		fclose(from);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 2;
	}
	if (!delivery_open())
		return 77;
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	puts("end");
	return 0;
}
