/*
 * scale_chart CSV: the table of scale.py as SVG on stdout, two charts an axis: what is done a second and peak memory,
 * each as the logarithm to base 10, by the logarithm to base 2 of what is varied. A line a program.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/chart.h"
#include "tests/bench/support/bench.h"

#define CHARTS 32
#define COLUMNS 7

enum column { AXIS, X, PROGRAM, RATE, LIMIT, MEMORY, NOTE };

static struct chart charts[CHARTS];
static char axes[CHARTS][32];
static int n;

/* A number, perhaps of thousands, millions or more by its last letter. */
static double number(const char *s)
{
	char *end;
	double x = strtod(s, &end);

	return x * (*end == 'K' ? 1e3 : *end == 'M' ? 1e6 : *end == 'B' ? 1e9 : 1);
}

/* The first of the axis's two charts. */
static int find_axis(const char *axis)
{
	char label[64];

	for (int i = 0; i < n; i += 2)
		if (!strcmp(axes[i], axis))
			return i;
	if (n == CHARTS)
		return -1;
	snprintf(axes[n], sizeof axes[n], "%s", axis);
	snprintf(label, sizeof label, "log2 %s", axis);
	chart_init(&charts[n], CHART_LINES, axis, label,
		strcmp(axis, "records") ? "log10 tokens/s" : "log10 records/s");
	chart_init(&charts[n + 1], CHART_LINES, axis, label, "log10 MiB");
	n += 2;
	return n - 2;
}

static void add(struct chart *c, const char *program, double x, double y)
{
	struct chart_point p = {
		.x = log2(x), .y = log10(y), .low = NAN, .high = NAN, .xlow = NAN, .xhigh = NAN};

	for (p.series = 0; p.series < c->nseries; p.series++)
		if (!strcmp(c->text.data + c->series[p.series], program))
			break;
	if (p.series == c->nseries)
		p.series = chart_add_series(c, program);
	chart_add(c, &p, NULL);
}

static void add_line(char *line)
{
	char *column[COLUMNS];
	int i = 0, at;

	line[strcspn(line, "\n")] = '\0';
	for (char *s = line; s && i < COLUMNS; i++)
		column[i] = strsep(&s, ",");
	if (i < COLUMNS || !isdigit((unsigned char)column[RATE][0]) ||
		(at = find_axis(column[AXIS])) < 0)
		return;
	add(&charts[at], column[PROGRAM], number(column[X]), number(column[RATE]));
	add(&charts[at + 1], column[PROGRAM], number(column[X]), number(column[MEMORY]));
}

int main(int argc, char **argv)
{
	FILE *in = argc == 2 ? fopen(argv[1], "r") : NULL;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	char line[512];

	if (!in)
		return 2;
	while (fgets(line, sizeof line, in))
		add_line(line);
	fclose(in);
	for (int i = 0; i < n; i++)
		if (chart_check(&charts[i], &err))
			bench_die(&err);
	chart_put_file(charts, (size_t)n, &out);
	if (buf_check(&out, &err))
		bench_die(&err);
	fwrite(out.data, 1, out.len, stdout);
	for (int i = 0; i < n; i++)
		chart_release(&charts[i]);
	buf_release(&out);
	return fflush(stdout) ? 1 : 0;
}
