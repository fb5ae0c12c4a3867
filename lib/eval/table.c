#include "eval/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GAP 2

int table_width(const char *s, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

/* A cell is one line, whatever a model is called. */
static void end_cell(struct table *t, size_t start)
{
	int width;

	if (t->column == TABLE_COLUMNS || t->cells.failed)
		return;
	for (size_t i = start; i < t->cells.len; i++)
		if ((unsigned char)t->cells.data[i] < 0x20 || t->cells.data[i] == 0x7f)
			t->cells.data[i] = '?';
	width = table_width(t->cells.data + start, t->cells.len - start);
	if (width > t->width[t->column])
		t->width[t->column] = width;
	t->column++;
	buf_add_char(&t->cells, '\n');
}

void table_add(struct table *t, const char *fmt, ...)
{
	char text[256];
	size_t start = t->cells.len;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	buf_add_str(&t->cells, *text ? text : " ");
	end_cell(t, start);
}

/* Without the sign of what would be printed as zero. */
static double no_minus_zero(double x, int decimals)
{
	return fabs(x) < 0.5 * pow(10, -decimals) ? 0 : x;
}

void table_number(struct table *t, double x, int decimals, const char *unit)
{
	if (isnan(x))
		table_add(t, "-");
	else
		table_add(t, "%.*f%s", decimals, no_minus_zero(x, decimals), unit);
}

void table_count(struct table *t, uint64_t n)
{
	table_add(t, "%" PRIu64, n);
}

void table_interval(
	struct table *t, struct stats_interval i, double factor, int decimals, const char *unit)
{
	if (isnan(i.low))
		table_add(t, "-");
	else
		table_add(t, "%.*f to %.*f%s", decimals, no_minus_zero(factor * i.low, decimals),
			decimals, no_minus_zero(factor * i.high, decimals), unit);
}

void table_row(struct table *t)
{
	buf_add_char(&t->cells, '\n');
	t->column = 0;
}

static void put_spaces(struct buf *out, int n)
{
	buf_add_fmt(out, "%*s", n > 0 ? n : 0, "");
}

void table_put(const struct table *t, struct buf *out)
{
	const char *p = t->cells.data, *end = p + t->cells.len, *stop;
	int column = 0, space;

	for (; p < end; p = stop + 1) {
		stop = memchr(p, '\n', (size_t)(end - p));
		if (stop == p) {
			buf_add_char(out, '\n');
			column = 0;
			continue;
		}
		space = t->width[column] - table_width(p, (size_t)(stop - p));
		if (column)
			put_spaces(out, GAP + space);
		buf_add(out, p, (size_t)(stop - p));
		if (!column && stop + 1 < end && stop[1] != '\n')
			put_spaces(out, space);
		column++;
	}
}

void table_release(struct table *t)
{
	buf_release(&t->cells);
	*t = (struct table)TABLE_INIT;
}
