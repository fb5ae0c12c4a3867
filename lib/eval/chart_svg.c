#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "eval/chart.h"
#include "eval/chart_labels.h"
#include "eval/table.h"

/* Sizes in units of the drawing, which is scaled to the width there is; a phone shows 5 as 4 pixels. */
#define WIDTH 400
#define LEFT 56
#define LABELS 172 /* of rows */
#define RIGHT 24
#define TOP 40
#define BOTTOM 52
#define PLOT 180 /* height */
#define ROW 24
#define LEGEND 20
#define LEGEND_LENGTH 22 /* characters */
#define LABEL_LENGTH 19	 /* characters */
#define FILE_SCALE 1.25	 /* of a drawing in a file of its own */
#define LETTER 7.5	 /* the width of most, on average */
#define BOLD_LETTER 9	 /* of titles */
#define DOTS 24		 /* a line of no more points shows them */

static const char style[] =
	"<style>"
	".c,.f{color-scheme:light dark;font:13px "
	"system-ui,sans-serif;--i:#1f2328;--m:#656d76;--g:#d0d7de;--b:#fff;"
	"--s0:#0969da;--s1:#bc4c00;--s2:#1a7f37;--s3:#8250df;--s4:#cf222e;--s5:#1b7c83;--s6:#"
	"9a6700;--s7:#bf3989}"
	"@media(prefers-color-scheme:dark){.c,.f{--i:#e6edf3;--m:#9198a1;--g:#3d444d;--b:#0d1117;"
	"--s0:#58a6ff;--s1:#f0883e;--s2:#3fb950;--s3:#bc8cff;--s4:#ff7b72;--s5:#39c5cf;--s6:#"
	"d29922;--s7:#f778ba}}"
	".c text{fill:var(--i)}.c .m{fill:var(--m)}.c .n{fill:var(--s)}.c "
	".t{font-weight:600;font-size:15px}"
	".c .g{stroke:var(--g)}.c .a{stroke:var(--m);stroke-dasharray:4 3}"
	".c .s0{--s:var(--s0)}.c .s1{--s:var(--s1)}.c .s2{--s:var(--s2)}.c .s3{--s:var(--s3)}"
	".c .s4{--s:var(--s4)}.c .s5{--s:var(--s5)}.c .s6{--s:var(--s6)}.c .s7{--s:var(--s7)}"
	".c .l{fill:none;stroke:var(--s);stroke-width:2;stroke-linejoin:round}.c "
	".w{stroke:var(--s);stroke-width:2}"
	".c .p{fill:var(--s)}.c .k{fill:var(--b)}.f{background:var(--b);max-width:100%;height:auto}"
	"</style>";

void chart_put_xml(struct buf *out, const char *s)
{
	size_t n = strlen(s);
	uint32_t cp;

	for (int len; n; s += len, n -= (size_t)len) {
		len = utf8_decode(s, n, &cp);
		if (*s == '&')
			buf_add_str(out, "&amp;");
		else if (*s == '<')
			buf_add_str(out, "&lt;");
		else if (*s == '>')
			buf_add_str(out, "&gt;");
		else if (*s == '"')
			buf_add_str(out, "&quot;");
		else if (len == 0 || (cp < 0x20 && !strchr("\t\n", (int)cp)) || cp == 0xfffe ||
			 cp == 0xffff)
			buf_add_str(out, "\xef\xbf\xbd");
		else
			buf_add(out, s, (size_t)len);
		len = len ? len : 1;
	}
}

/* Where things are. */
struct frame {
	const struct chart *c;
	struct chart_range x, y;
	double left, right, top, bottom;
};

static double at_x(const struct frame *f, double x)
{
	return f->left + (x - f->x.low) / (f->x.high - f->x.low) * (f->right - f->left);
}

static double at_y(const struct frame *f, double y)
{
	return f->bottom - (y - f->y.low) / (f->y.high - f->y.low) * (f->bottom - f->top);
}

static double legend_height(const struct chart *c)
{
	return c->nseries > 1 ? LEGEND * ((c->nseries + 1) / 2) : 0;
}

static double height(const struct chart *c)
{
	return TOP + BOTTOM + legend_height(c) +
	       (c->kind == CHART_ROWS ? ROW * (double)c->n : PLOT);
}

static struct frame make_frame(const struct chart *c)
{
	struct frame f = {
		.c = c, .x = chart_xrange(c), .y = chart_yrange(c), .right = WIDTH - RIGHT};

	f.left = c->kind == CHART_ROWS ? LABELS : LEFT;
	f.top = TOP + legend_height(c);
	f.bottom = height(c) - BOTTOM;
	return f;
}

/* ---- parts */

static void put_line(struct buf *out, const char *class, double x1, double y1, double x2, double y2)
{
	buf_add_fmt(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
		class, x1, y1, x2, y2);
}

/* A text of at most n characters, of a longer one the beginning, and the whole as its tooltip; nothing for an
 * empty one. */
static void put_label(struct buf *out, double x, double y, const char *class, const char *anchor,
	const char *s, int n)
{
	const char *end = s;
	bool cuts = table_width(s, strlen(s)) > n;
	uint32_t cp;

	if (!*s)
		return;
	for (int i = 0; cuts && i < n - 1 && *end; i++) {
		int len = utf8_decode(end, strlen(end), &cp);

		end += len ? len : 1;
	}
	buf_add_fmt(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\"", x, y, anchor);
	if (*class)
		buf_add_fmt(out, " class=\"%s\"", class);
	buf_add_char(out, '>');
	if (cuts) {
		struct buf cut = BUF_INIT;

		buf_add(&cut, s, (size_t)(end - s));
		buf_add_str(out, "<title>");
		chart_put_xml(out, s);
		buf_add_str(out, "</title>");
		chart_put_xml(out, cut.data ? cut.data : "");
		buf_add_str(out, "\xe2\x80\xa6");
		buf_release(&cut);
	} else {
		chart_put_xml(out, s);
	}
	buf_add_str(out, "</text>\n");
}

static void write_tick(char text[32], double value, double step)
{
	int decimals = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);

	if (fabs(value) < step * 1e-6)
		value = 0;
	if (decimals > 6 || fabs(value) >= 1e6)
		snprintf(text, 32, "%.2g", value);
	else
		snprintf(text, 32, "%.*f", decimals, value);
}

static void put_tick(
	struct buf *out, double x, double y, const char *anchor, double value, double step)
{
	char text[32];

	write_tick(text, value, step);
	put_label(out, x, y, "m", anchor, text, sizeof text);
}

/* How many ticks apart numbers below an axis must be, so as not to run into each other. */
static int tick_stride(const struct frame *f)
{
	double space = at_x(f, f->x.low + f->x.step) - f->left;
	char low[32], high[32];

	write_tick(low, f->x.low, f->x.step);
	write_tick(high, f->x.high, f->x.step);
	return (int)ceil((fmax((double)strlen(low), (double)strlen(high)) + 1) * LETTER / space);
}

static void put_axes(struct buf *out, const struct frame *f)
{
	const struct chart *c = f->c;
	int n = (int)lround((f->x.high - f->x.low) / f->x.step),
	    m = (int)lround((f->y.high - f->y.low) / f->y.step), stride = tick_stride(f);
	int title = (int)((WIDTH - RIGHT - 12) / BOLD_LETTER), used;

	for (int i = 0; i <= n; i++) {
		double value = f->x.low + i * f->x.step;

		if (c->kind == CHART_ROWS)
			put_line(out, "g", at_x(f, value), f->top, at_x(f, value), f->bottom);
		if (i % stride == 0)
			put_tick(out, at_x(f, value), f->bottom + 18, "middle", value, f->x.step);
	}
	for (int i = 0; c->kind != CHART_ROWS && i <= m; i++) {
		double value = f->y.low + i * f->y.step;

		put_line(out, "g", f->left, at_y(f, value), f->right, at_y(f, value));
		put_tick(out, f->left - 6, at_y(f, value) + 4, "end", value, f->y.step);
	}
	if (c->diagonal) {
		double low = fmax(f->x.low, f->y.low), high = fmin(f->x.high, f->y.high);

		put_line(out, "a", at_x(f, low), at_y(f, low), at_x(f, high), at_y(f, high));
	}
	if (!isnan(c->guide) && c->kind == CHART_ROWS)
		put_line(out, "a", at_x(f, c->guide), f->top, at_x(f, c->guide), f->bottom);
	else if (!isnan(c->guide))
		put_line(out, "a", f->left, at_y(f, c->guide), f->right, at_y(f, c->guide));
	put_label(out, (f->left + f->right) / 2, f->bottom + 40, "m", "middle",
		chart_text(c, c->xlabel), (int)((f->right - f->left) / LETTER));
	put_label(out, 12, 20, "t", "start", chart_text(c, c->title), title);
	used = table_width(chart_text(c, c->title), strlen(chart_text(c, c->title)));
	if (title > used + 3)
		put_label(out, WIDTH - RIGHT, 20, "m", "end", chart_text(c, c->ylabel),
			(int)((title - used) * BOLD_LETTER / LETTER) - 2);
}

static void put_legend(struct buf *out, const struct chart *c)
{
	for (int i = 0; c->nseries > 1 && i < c->nseries; i++) {
		double x = 12 + (i % 2) * (WIDTH / 2), y = TOP + LEGEND * (i / 2);

		buf_add_fmt(out,
			"<g class=\"s%d\"><rect class=\"p\" x=\"%.1f\" y=\"%.1f\" width=\"14\" "
			"height=\"4\"/></g>\n",
			i, x, y - 6);
		put_label(out, x + 20, y, "", "start", chart_text(c, c->series[i]), LEGEND_LENGTH);
	}
}

/* label: a tooltip. */
static void put_dot(struct buf *out, double x, double y, const char *label)
{
	buf_add_fmt(out, "<circle class=\"p\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>", x, y);
	chart_put_xml(out, label);
	buf_add_str(out, "</title></circle>\n");
}

/* A point and its whiskers. */
static void put_point(struct buf *out, const struct frame *f, const struct chart_point *p)
{
	double x = at_x(f, p->x), y = at_y(f, p->y);

	if (isfinite(p->low) && isfinite(p->high))
		put_line(out, "w", x, at_y(f, p->low), x, at_y(f, p->high));
	if (p->xlow < p->xhigh)
		put_line(out, "w", at_x(f, p->xlow), y, at_x(f, p->xhigh), y);
	put_dot(out, x, y, chart_text(f->c, p->label));
}

static bool is_drawn(const struct chart_point *p)
{
	return isfinite(p->x) && isfinite(p->y);
}

static void put_rows(struct buf *out, const struct frame *f)
{
	for (size_t i = 0; i < f->c->n; i++) {
		const struct chart_point *p = &f->c->points[i];
		double y = f->top + ROW * ((double)i + 0.5);

		put_label(out, f->left - 8, y + 4, "", "end", chart_text(f->c, p->label),
			LABEL_LENGTH);
		if (isfinite(p->low) && isfinite(p->high)) {
			put_line(out, "w", at_x(f, p->low), y, at_x(f, p->high), y);
			put_line(out, "w", at_x(f, p->low), y - 4, at_x(f, p->low), y + 4);
			put_line(out, "w", at_x(f, p->high), y - 4, at_x(f, p->high), y + 4);
		}
		if (isfinite(p->x))
			put_dot(out, at_x(f, p->x), y, chart_text(f->c, p->label));
	}
}

/* The points of a series as one path; what is not finite makes a gap. */
static void put_path(struct buf *out, const struct frame *f, int series)
{
	bool pen = false;
	size_t n = 0;

	buf_add_str(out, "<path class=\"l\" d=\"");
	for (size_t i = 0; i < f->c->n; i++) {
		const struct chart_point *p = &f->c->points[i];

		if (p->series != series)
			continue;
		if (is_drawn(p))
			buf_add_fmt(
				out, "%c%.1f %.1f", pen ? 'L' : 'M', at_x(f, p->x), at_y(f, p->y));
		pen = is_drawn(p);
		n++;
	}
	buf_add_str(out, "\"/>\n");
	for (size_t i = 0; n <= DOTS && i < f->c->n; i++)
		if (f->c->points[i].series == series && is_drawn(&f->c->points[i]))
			put_point(out, f, &f->c->points[i]);
}

static void put_bars(struct buf *out, const struct frame *f, int series)
{
	const struct chart *c = f->c;
	double half = c->n > 1 ? fabs(c->points[1].x - c->points[0].x) / 2 : 0.5, zero = at_y(f, 0);

	for (size_t i = 0; i < c->n; i++) {
		const struct chart_point *p = &c->points[i];
		double left = at_x(f, p->x - half), y = isfinite(p->y) ? at_y(f, p->y) : zero;

		if (p->series == series && isfinite(p->x))
			buf_add_fmt(out,
				"<rect class=\"p\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
				"height=\"%.1f\"/>\n",
				left + 0.5, fmin(y, zero), fmax(1, at_x(f, p->x + half) - left - 1),
				fabs(y - zero));
	}
}

static void put_points(struct buf *out, const struct frame *f, int series)
{
	for (size_t i = 0; i < f->c->n; i++)
		if (f->c->points[i].series == series && is_drawn(&f->c->points[i]))
			put_point(out, f, &f->c->points[i]);
}

/* Those of points that have room for one; the first ones first. */
static void put_labels(struct buf *out, const struct frame *f)
{
	struct chart_labels labels = {.room = {f->left, f->top - 12, f->right + RIGHT, f->bottom}};
	const struct chart *c = f->c;
	struct chart_spot spot;

	for (size_t i = 0; i < c->n; i++)
		if (is_drawn(&c->points[i]))
			chart_labels_take(
				&labels, at_x(f, c->points[i].x), at_y(f, c->points[i].y), 5);
	for (size_t i = 0; i < c->n; i++) {
		const struct chart_point *p = &c->points[i];
		const char *label = chart_text(c, p->label);
		int n = table_width(label, strlen(label));

		n = n > LABEL_LENGTH ? LABEL_LENGTH : n;
		if (!n || !is_drawn(p) ||
			!chart_labels_place(
				&labels, at_x(f, p->x), at_y(f, p->y), n * LETTER, &spot))
			continue;
		buf_add_fmt(out, "<g class=\"s%d\">", p->series);
		put_label(out, spot.x, spot.y, c->nseries ? "n" : "", spot.anchor, label,
			LABEL_LENGTH);
		buf_add_str(out, "</g>\n");
	}
}

static void put_chart(const struct chart *c, double top, struct buf *out)
{
	const struct frame f = make_frame(c);

	buf_add_fmt(out, "<g class=\"c\" transform=\"translate(0 %.1f)\">\n", top);
	put_axes(out, &f);
	put_legend(out, c);
	for (int s = 0; s < (c->nseries ? c->nseries : 1); s++) {
		buf_add_fmt(out, "<g class=\"s%d\">\n", s);
		if (c->kind == CHART_ROWS)
			put_rows(out, &f);
		else if (c->kind == CHART_LINES)
			put_path(out, &f, s);
		else if (c->kind == CHART_BARS)
			put_bars(out, &f, s);
		else
			put_points(out, &f, s);
		buf_add_str(out, "</g>\n");
	}
	if (c->kind == CHART_POINTS)
		put_labels(out, &f);
	buf_add_str(out, "</g>\n");
}

/* file: it stands alone, as wide as it likes to be and the window is, and the page is its own. */
static void open_svg(struct buf *out, bool file, double tall, const char *title)
{
	buf_add_fmt(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" role=\"img\"",
		WIDTH, tall);
	if (file)
		buf_add_fmt(out, " class=\"f\" width=\"%.0f\" height=\"%.0f\"", WIDTH * FILE_SCALE,
			tall * FILE_SCALE);
	buf_add_str(out, " aria-label=\"");
	chart_put_xml(out, title);
	buf_add_fmt(out, "\">\n%s\n", style);
}

void chart_put_svg(const struct chart *c, struct buf *out)
{
	open_svg(out, false, height(c), chart_text(c, c->title));
	put_chart(c, 0, out);
	buf_add_str(out, "</svg>\n");
}

void chart_put_file(const struct chart *c, size_t n, struct buf *out)
{
	double tall = 0, top = 0;

	for (size_t i = 0; i < n; i++)
		tall += height(&c[i]);
	open_svg(out, true, tall, n ? chart_text(&c[0], c[0].title) : "");
	buf_add_fmt(out, "<g class=\"c\"><rect class=\"k\" width=\"%d\" height=\"%.0f\"/></g>\n",
		WIDTH, tall);
	for (size_t i = 0; i < n; i++) {
		put_chart(&c[i], top, out);
		top += height(&c[i]);
	}
	buf_add_str(out, "</svg>\n");
}
