#include "cmd/cmd_stop.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t stopped, wanted;
static double limit, last, longest;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double begin;

__attribute__((constructor)) static void start(void)
{
	begin = now();
}

static void on_stop(int which)
{
	stopped = which;
	signal(which, SIG_DFL);
}

static void on_checkpoint(int which)
{
	(void)which;
	wanted = 1;
}

static void catch(int which, void (*handler)(int))
{
	struct sigaction a = {.sa_handler = handler, .sa_flags = SA_RESTART};

	sigemptyset(&a.sa_mask);
	sigaction(which, &a, NULL);
}

void stop_watch(double seconds)
{
	limit = seconds;
	last = now();
	catch(SIGTERM, on_stop);
	catch(SIGINT, on_stop);
	catch(SIGUSR1, on_checkpoint);
}

bool stop_due(void)
{
	double t = now();

	longest = t - last > longest ? t - last : longest;
	last = t;
	return stopped || (limit > 0 && t + longest > begin + limit);
}

const char *stop_reason(void)
{
	return stopped == SIGTERM ? "SIGTERM" : stopped == SIGINT ? "SIGINT" : "the time limit";
}

bool stop_checkpoint_due(void)
{
	bool due = wanted;

	wanted = 0;
	return due;
}
