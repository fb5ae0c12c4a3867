#include <math.h>
#include <stdio.h>
#include <string.h>

#include "eval/chart.h"
#include "eval/table.h"

#define BAR 40	 /* characters of a bar */
#define SPARK 40 /* points of a sparkline at most */
#define LABEL 32 /* characters of a label */
#define LEVELS 8

struct pens {
	const char *dot, *whisker, *guide, *level[LEVELS];
};

static const struct pens unicode = {"\xe2\x97\x8f", "\xe2\x94\x80", "\xe2\x94\x82",
	{"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84", "\xe2\x96\x85",
		"\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"}};
static const struct pens plain = {"o", "-", "|", {"_", ".", ":", "-", "=", "+", "*", "#"}};

static int place(const struct chart_range *r, double x, int cells)
{
	int at = (int)floor((x - r->low) / (r->high - r->low) * cells);

	return at < 0 ? 0 : at >= cells ? cells - 1 : at;
}

/* A label on one line, filled up or cut to the width. */
static void put_label(struct buf *out, const char *s, int width)
{
	int n = 0;

	for (; *s && (n < width || ((unsigned char)*s & 0xc0) == 0x80); s++) {
		n += ((unsigned char)*s & 0xc0) != 0x80;
		buf_add_char(out, (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s);
	}
	buf_add_fmt(out, "%*s ", width - n, "");
}

static int label_width(const struct chart *c)
{
	int width = 0, n;

	for (size_t i = 0; i < c->n; i++) {
		n = table_width(chart_text(c, c->points[i].label),
			strlen(chart_text(c, c->points[i].label)));
		width = n > width ? n : width;
	}
	return width < LABEL ? width : LABEL;
}

static void put_rows(const struct chart *c, const struct pens *pens, struct buf *out)
{
	const struct chart_range r = chart_xrange(c);
	int width = label_width(c);

	for (size_t i = 0; i < c->n; i++) {
		const struct chart_point *p = &c->points[i];
		int low = isfinite(p->low) ? place(&r, p->low, BAR) : BAR;
		int high = isfinite(p->high) ? place(&r, p->high, BAR) : -1;

		put_label(out, chart_text(c, p->label), width);
		for (int x = 0; x < BAR; x++)
			if (isfinite(p->x) && x == place(&r, p->x, BAR))
				buf_add_str(out, pens->dot);
			else if (x >= low && x <= high)
				buf_add_str(out, pens->whisker);
			else if (!isnan(c->guide) && x == place(&r, c->guide, BAR))
				buf_add_str(out, pens->guide);
			else
				buf_add_char(out, ' ');
		buf_add_fmt(out, " %.4g\n", p->x);
	}
	buf_add_fmt(out, "%*s %-*.4g%*.4g\n", width, "", BAR / 2, r.low, BAR / 2, r.high);
}

/* A series, or all bars, by means of as many neighbours as it takes to fit. */
static void put_spark(const struct chart *c, int series, const struct pens *pens, struct buf *out)
{
	double low = NAN, high = NAN, last = NAN, first = NAN, sum[SPARK] = {0};
	size_t n = 0, k = 0, count[SPARK] = {0};

	for (size_t i = 0; i < c->n; i++)
		n += c->points[i].series == series;
	for (size_t i = 0; i < c->n; i++) {
		size_t cell = n <= SPARK ? k : k * SPARK / n;

		if (c->points[i].series != series)
			continue;
		k++;
		if (!isfinite(c->points[i].y))
			continue;
		sum[cell] += c->points[i].y;
		count[cell]++;
		last = c->points[i].y;
		first = isnan(first) ? last : first;
	}
	for (int i = 0; i < SPARK; i++) {
		sum[i] = count[i] ? sum[i] / (double)count[i] : NAN;
		low = isnan(low) ? sum[i] : fmin(low, sum[i]);
		high = isnan(high) ? sum[i] : fmax(high, sum[i]);
	}
	if (c->kind == CHART_BARS)
		low = 0;
	for (size_t i = 0; i < (n < SPARK ? n : SPARK); i++) {
		int level = high > low ? (int)((sum[i] - low) / (high - low) * (LEVELS - 1) + 0.5)
				       : LEVELS / 2;

		buf_add_str(out, isnan(sum[i]) ? " " : pens->level[level]);
	}
	if (c->kind == CHART_BARS)
		buf_add_fmt(out, "  %.4g to %.4g\n", c->points[0].x, c->points[c->n - 1].x);
	else
		buf_add_fmt(out, "  %.4g to %.4g\n", first, last);
}

void chart_put_text(const struct chart *c, bool ascii, struct buf *out)
{
	const struct pens *pens = ascii ? &plain : &unicode;

	if (!c->n || c->kind == CHART_POINTS)
		return;
	buf_add_fmt(out, "\n%s", chart_text(c, c->title));
	if (c->xlabel)
		buf_add_fmt(out, " (%s)", chart_text(c, c->xlabel));
	buf_add_char(out, '\n');
	if (c->kind == CHART_ROWS)
		put_rows(c, pens, out);
	else if (c->nseries < 2)
		put_spark(c, 0, pens, out);
	else
		for (int s = 0; s < c->nseries; s++) {
			put_label(out, chart_text(c, c->series[s]), LABEL);
			put_spark(c, s, pens, out);
		}
}
