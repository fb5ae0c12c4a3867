#include "cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Seconds between lines: rewritten on a terminal, new ones elsewhere. */
#define TERMINAL_EVERY 0.1
#define LOG_EVERY 30.0

static struct {
	const char *what; /* NULL: no progress is shown */
	uint64_t total;
	double start, shown;
	bool terminal, line; /* line: there is one to wipe */
} progress;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void cmd_progress_start(const char *what, uint64_t total)
{
	cmd_progress_end();
	progress.what = cmd_quiet ? NULL : what;
	progress.total = total;
	progress.start = progress.shown = now();
	progress.terminal = isatty(STDERR_FILENO);
}

void cmd_progress(uint64_t done, const char *fmt, ...)
{
	unsigned long left;
	double t, rate;
	va_list ap;

	if (!progress.what)
		return;
	t = now();
	if (t - progress.shown < (progress.terminal ? TERMINAL_EVERY : LOG_EVERY))
		return;
	progress.shown = t;
	rate = (double)done / (t - progress.start);
	fprintf(stderr, "%s%llu", progress.terminal ? "\r\033[K" : "", (unsigned long long)done);
	if (progress.total)
		fprintf(stderr, " of %llu", (unsigned long long)progress.total);
	fprintf(stderr, " %s, %.3g/s", progress.what, rate);
	if (done && done < progress.total) {
		left = (unsigned long)((double)(progress.total - done) / rate);
		fprintf(stderr, ", %lu:%02lu left", left / 60, left % 60);
	}
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	progress.line = progress.terminal;
	if (!progress.terminal)
		fprintf(stderr, "\n");
}

void cmd_progress_end(void)
{
	if (progress.line)
		fprintf(stderr, "\r\033[K");
	progress.line = false;
}
