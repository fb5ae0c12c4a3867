#include <math.h>
#include <stdio.h>

#include "cmd/cmd_evallogp.h"

static void label_of(const struct logp_eval *e, const struct logp_model *m, char label[300])
{
	snprintf(label, 300, "%.140s%s%.140s", m->file ? m->file : m->policy,
		m->file && e->policies > 1 ? ": " : "",
		m->file && e->policies > 1 ? m->policy : "");
}

static void add_rate(struct chart *c, const char *label, const struct reward *r, double level)
{
	struct stats_interval x = stats_rate_wilson(&r->sequence.decided, level);

	chart_add_row(
		c, label, 100 * stats_rate_value(&r->sequence.decided), 100 * x.low, 100 * x.high);
}

static int draw_rates(const struct logp_eval *e, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_ROWS,
		e->reference ? "Win rates by reward" : "Win rates by log-prob", "pairs won in %",
		"", err);
	char label[300];

	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t i = 0; i < e->n; i++) {
		label_of(e, &e->all[i], label);
		add_rate(c, label, &e->all[i].reward, e->o->level);
	}
	return chart_check(c, err);
}

static int draw_groups(const struct logp_eval *e, const struct logp_model *m, const char *label,
	struct eval_output *out, struct err *err)
{
	struct chart *c =
		eval_add_chart(out, CHART_ROWS, "Win rates by group", "pairs won in %", label, err);

	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t g = 0; g < m->ngroups; g++)
		add_rate(c, names_get(&e->groups, (int)g), &m->groups[g], e->o->level);
	return chart_check(c, err);
}

static int draw_margins(
	const struct logp_model *m, const char *label, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(
		out, CHART_BARS, "Margins", "reward of chosen minus rejected", label, err);
	const struct histogram *h = &m->margins.spread;
	int first, n = histogram_range(h, &first);

	if (!c)
		return -1;
	for (int i = first; i < first + n; i++) {
		const struct chart_point p = {.x = (i - HISTOGRAM_BINS / 2 + 0.5) * h->width,
			.y = (double)h->bin[i],
			.low = NAN,
			.high = NAN};

		chart_add(c, &p, NULL);
	}
	return chart_check(c, err);
}

static int draw_reliability(const struct logp_eval *e, const struct logp_model *m,
	const char *label, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(
		out, CHART_POINTS, "Reliability: said, and won", "said in %", label, err);

	if (!c)
		return -1;
	c->diagonal = true;
	for (int i = 0; i < MARGINS_BINS; i++) {
		const struct margins_bin *b = &m->margins.bin[i];
		struct stats_interval x = stats_wilson(b->right, (double)b->n, e->o->level);
		const struct chart_point p = {.x = 100 * b->confidence / (double)b->n,
			.y = 100 * b->right / (double)b->n,
			.low = 100 * x.low,
			.high = 100 * x.high};

		if (b->n)
			chart_add(c, &p, NULL);
	}
	return chart_check(c, err);
}

/* How far policies went from the reference, and what they won by it. */
static int draw_frontier(const struct logp_eval *e, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_POINTS, "Reward and KL",
		"mean log-ratio of chosen, in nats", "pairs won in %", err);
	char label[300];

	if (!c)
		return -1;
	for (size_t i = 0; i < e->n; i++) {
		const struct reward *r = &e->all[i].reward;
		struct stats_interval won = stats_rate_wilson(&r->sequence.decided, e->o->level);
		struct stats_interval kl = stats_sample_interval(&r->chosen.kl.k1, e->o->level);
		const struct chart_point p = {.x = stats_sample_mean(&r->chosen.kl.k1),
			.y = 100 * stats_rate_value(&r->sequence.decided),
			.low = 100 * won.low,
			.high = 100 * won.high,
			.xlow = kl.low,
			.xhigh = kl.high};

		label_of(e, &e->all[i], label);
		chart_add(c, &p, label);
	}
	return chart_check(c, err);
}

int logp_draw(const struct logp_eval *e, struct eval_output *out, struct err *err)
{
	char label[300];

	if (draw_rates(e, out, err))
		return -1;
	for (size_t i = 0; i < e->n; i++) {
		const struct logp_model *m = &e->all[i];

		label_of(e, m, label);
		if (!m->reward.pairs)
			continue;
		if ((m->ngroups && draw_groups(e, m, label, out, err)) ||
			draw_margins(m, label, out, err) ||
			(e->reference && draw_reliability(e, m, label, out, err)))
			return -1;
	}
	return e->reference && e->n > 1 ? draw_frontier(e, out, err) : 0;
}
