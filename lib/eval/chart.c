#include "eval/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define TICKS 5
#define SLACK 0.01 /* of a step: what ends so little beyond a tick needs no other one */

static size_t keep(struct chart *c, const char *s)
{
	size_t place = c->text.len;

	if (!s || !*s)
		return 0;
	buf_add(&c->text, s, strlen(s) + 1);
	c->failed = c->failed || c->text.failed;
	return c->text.failed ? 0 : place;
}

void chart_init(struct chart *c, enum chart_kind kind, const char *title, const char *xlabel,
	const char *ylabel)
{
	*c = (struct chart){.kind = kind, .text = BUF_INIT, .guide = NAN};
	buf_add(&c->text, "", 1);
	c->title = keep(c, title);
	c->xlabel = keep(c, xlabel);
	c->ylabel = keep(c, ylabel);
}

void chart_release(struct chart *c)
{
	buf_release(&c->text);
	free(c->points);
	*c = (struct chart){.n = 0};
}

int chart_check(struct chart *c, struct err *err)
{
	return c->failed ? err_set(err, ERR_LIMIT, "out of memory for a chart")
			 : buf_check(&c->text, err);
}

void chart_guide(struct chart *c, double at)
{
	c->guide = at;
}

int chart_add_series(struct chart *c, const char *name)
{
	if (c->nseries == CHART_SERIES)
		return CHART_SERIES - 1;
	c->series[c->nseries] = keep(c, name);
	return c->nseries++;
}

void chart_add(struct chart *c, const struct chart_point *p, const char *label)
{
	struct err err = ERR_INIT;

	if (mem_grow(&c->points, &c->cap, c->n + 1, sizeof *c->points, &err)) {
		c->failed = true;
		return;
	}
	c->points[c->n] = *p;
	c->points[c->n++].label = keep(c, label);
}

void chart_add_row(struct chart *c, const char *label, double value, double low, double high)
{
	const struct chart_point p = {.x = value, .low = low, .high = high};

	chart_add(c, &p, label);
}

static int by_series(const void *a, const void *b)
{
	const struct chart_point *p = a, *q = b;

	return p->series != q->series ? p->series - q->series : (p->x > q->x) - (p->x < q->x);
}

void chart_sort(struct chart *c)
{
	if (c->n)
		qsort(c->points, c->n, sizeof *c->points, by_series);
}

/* ---- ranges */

static void widen(struct chart_range *r, double x)
{
	if (!isfinite(x))
		return;
	r->low = isnan(r->low) ? x : fmin(r->low, x);
	r->high = isnan(r->high) ? x : fmax(r->high, x);
}

/* 1, 2 or 5 times a power of ten, so that some TICKS of them make the width. */
static double round_step(double width)
{
	double raw = width / TICKS, ten = pow(10, floor(log10(raw))), times = raw / ten;

	return ten * (times < 1.5 ? 1 : times < 3.5 ? 2 : times < 7.5 ? 5 : 10);
}

static struct chart_range make_round(struct chart_range r)
{
	if (isnan(r.low))
		r.low = r.high = 0;
	/* What is as good as one value gets some room on both sides. */
	if (r.high - r.low <= 1e-12 * fmax(fabs(r.low), fabs(r.high))) {
		double room = r.low == 0 ? 1 : fabs(r.low) / 10;

		r.low -= room;
		r.high += room;
	}
	r.step = round_step(r.high - r.low);
	r.low = floor(r.low / r.step + SLACK) * r.step;
	r.high = ceil(r.high / r.step - SLACK) * r.step;
	return r;
}

struct chart_range chart_xrange(const struct chart *c)
{
	struct chart_range r = {NAN, NAN, 0};
	double half =
		c->kind == CHART_BARS && c->n > 1 ? fabs(c->points[1].x - c->points[0].x) / 2 : 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct chart_point *p = &c->points[i];

		widen(&r, p->x - half);
		widen(&r, p->x + half);
		if (c->kind == CHART_ROWS) {
			widen(&r, p->low);
			widen(&r, p->high);
		} else if (c->kind == CHART_POINTS && p->xlow < p->xhigh) {
			widen(&r, p->xlow);
			widen(&r, p->xhigh);
		}
	}
	if (c->kind == CHART_ROWS)
		widen(&r, c->guide);
	return make_round(r);
}

struct chart_range chart_yrange(const struct chart *c)
{
	struct chart_range r = {NAN, NAN, 0};

	for (size_t i = 0; i < c->n; i++) {
		widen(&r, c->points[i].y);
		widen(&r, c->points[i].low);
		widen(&r, c->points[i].high);
	}
	if (c->kind == CHART_BARS)
		widen(&r, 0);
	if (c->kind != CHART_ROWS)
		widen(&r, c->guide);
	return make_round(r);
}
