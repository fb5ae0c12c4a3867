/*
 * Charts as data, drawn as SVG or as text. A chart has series of points, whose y, or x, may have an interval;
 * or rows, each with a label, a value and an interval. Strings are copied.
 *
 *	struct chart c;
 *
 *	chart_init(&c, CHART_ROWS, "win rate", "%", "");
 *	chart_guide(&c, 50);
 *	chart_add_row(&c, "model", 61.2, 58.0, 64.1);
 *	chart_put_svg(&c, &out);
 *	chart_release(&c);
 *
 * What could not be added for lack of memory is told by chart_check().
 */
#ifndef EVAL_CHART_H
#define EVAL_CHART_H

#include <stdbool.h>

#include "base/buf.h"

enum chart_kind {
	CHART_ROWS,   /* one below the other; x is the value */
	CHART_LINES,  /* series of points joined in order; few of them with dots and intervals */
	CHART_BARS,   /* points (x, y) as bars from y = 0, as wide as the step between them */
	CHART_POINTS, /* apart, with labels where there is room */
};

struct chart_point {
	double x, y, low, high; /* low, high: NaN without an interval; of y, of x in rows */
	double xlow, xhigh;	/* of x, in points */
	int series;
	size_t label; /* its place in text; 0: none */
};

#define CHART_SERIES 8 /* colours */

struct chart {
	enum chart_kind kind;
	size_t title, xlabel, ylabel; /* places in text */
	struct buf text;	      /* strings with their zero bytes; the first one is empty */
	struct chart_point *points;
	size_t n, cap;
	size_t series[CHART_SERIES]; /* names */
	int nseries;
	double guide;  /* a line at that x of rows, or y of others; NaN: none */
	bool diagonal; /* y = x */
	bool failed;
};

void chart_init(struct chart *c, enum chart_kind kind, const char *title, const char *xlabel,
	const char *ylabel);
void chart_release(struct chart *c);
int chart_check(struct chart *c, struct err *err);

void chart_guide(struct chart *c, double at);

/* The number of a new series; of the last one where there are CHART_SERIES. */
int chart_add_series(struct chart *c, const char *name);

void chart_add_row(struct chart *c, const char *label, double value, double low, double high);
void chart_add(struct chart *c, const struct chart_point *p, const char *label);

/* Points by series, and then by x, as lines join them. */
void chart_sort(struct chart *c);

/*
 * An svg element that fits the width of what holds it; text stays text, and colours follow the reader's
 * preference for light or dark.
 */
void chart_put_svg(const struct chart *c, struct buf *out);

/* n charts below one another as one SVG file. */
void chart_put_file(const struct chart *c, size_t n, struct buf *out);

/*
 * For terminals: rows and bars as bars with whiskers, lines as a sparkline a series; nothing for points.
 * ascii: without other characters.
 */
void chart_put_text(const struct chart *c, bool ascii, struct buf *out);

/* Appends text for XML; what is not UTF-8, or no character of XML, becomes U+FFFD. */
void chart_put_xml(struct buf *out, const char *s);

/* The ends of all that is drawn, to within a hundredth of a step, both made finite, different and round. */
struct chart_range {
	double low, high, step; /* step: between ticks */
};

struct chart_range chart_xrange(const struct chart *c);
struct chart_range chart_yrange(const struct chart *c);

static inline const char *chart_text(const struct chart *c, size_t place)
{
	return c->text.data ? c->text.data + place : "";
}

#endif
