#include <math.h>
#include <stdio.h>

#include "cmd/cmd_evaljudged.h"

static int draw_rates(const struct judged *j, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_ROWS, "Win rates", "win rate in %", "", err);

	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t i = 0; i < j->n; i++) {
		struct stats_interval x = j->all[i].interval;

		chart_add_row(c, judged_name(j, j->all[i].model), winrate_percent(&j->all[i].rate),
			100 * x.low, 100 * x.high);
	}
	return chart_check(c, err);
}

static int draw_controlled(const struct judged *j, struct eval_output *out, struct err *err)
{
	struct chart *c = NULL;

	for (size_t i = 0; i < j->n; i++) {
		const struct length_rate *l = &j->all[i].controlled;

		if (isnan(l->percent))
			continue;
		c = c ? c
		      : eval_add_chart(out, CHART_ROWS, "Win rates at even length", "win rate in %",
				"", err);
		if (!c)
			return -1;
		chart_guide(c, 50);
		chart_add_row(c, judged_name(j, j->all[i].model), l->percent, l->interval.low,
			l->interval.high);
	}
	return c ? chart_check(c, err) : 0;
}

static int draw_ratings(const struct judged *j, struct eval_output *out, struct err *err)
{
	struct chart *c =
		eval_add_chart(out, CHART_ROWS, "Bradley-Terry ratings", "rating", "", err);

	if (!c)
		return -1;
	for (int i = 0; i < j->ratings.n; i++) {
		const struct rating *r = &j->ratings.all[i];

		chart_add_row(
			c, judged_name(j, r->model), r->value, r->interval.low, r->interval.high);
	}
	return chart_check(c, err);
}

static int draw_groups(const struct judged *j, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(
		out, CHART_ROWS, "Win rates by group", "win rate in %", j->o->by, err);
	char label[200];

	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t i = 0; i < j->ngroups; i++) {
		const struct contest *g = &j->groups[i];
		struct stats_interval x = g->interval;

		snprintf(label, sizeof label, "%s%s%s", names_get(&j->v->groups, g->group),
			j->n > 1 ? ": " : "", j->n > 1 ? judged_name(j, g->model) : "");
		chart_add_row(c, label, winrate_percent(&g->rate), 100 * x.low, 100 * x.high);
	}
	return chart_check(c, err);
}

/* Over a field of numbers, a curve for each model; j->all says in which order. */
static int draw_curves(const struct judged *j, struct eval_output *out, struct err *err)
{
	char title[100];
	struct chart *c;

	snprintf(title, sizeof title, "Win rates by %s", j->o->by);
	c = eval_add_chart(out, CHART_LINES, title, j->o->by, "win rate in %", err);
	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t i = 0; i < j->n; i++)
		chart_add_series(c, judged_name(j, j->all[i].model));
	for (size_t i = 0; i < j->ngroups; i++) {
		const struct contest *g = &j->groups[i];
		struct chart_point p = {.x = names_number(&j->v->groups, g->group),
			.y = winrate_percent(&g->rate),
			.low = 100 * g->interval.low,
			.high = 100 * g->interval.high};

		while (j->all[p.series].model != g->model)
			p.series++;
		chart_add(c, &p, judged_name(j, g->model));
	}
	chart_sort(c);
	return chart_check(c, err);
}

int judged_draw(const struct judged *j, struct eval_output *out, struct err *err)
{
	bool curves = names_are_numbers(&j->v->groups) && j->n <= CHART_SERIES;

	return draw_rates(j, out, err) || draw_controlled(j, out, err) ||
			       (j->ngroups && (curves ? draw_curves : draw_groups)(j, out, err)) ||
			       (j->ratings.n && draw_ratings(j, out, err))
		       ? -1
		       : 0;
}
