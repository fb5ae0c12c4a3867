#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd_evallogp.h"

#define LABEL 300

/* ---- names: of files what tells them apart, without the folder that all are in and the suffix of streams */

static size_t shared_folder(const struct logp_eval *e)
{
	const char *first = e->all[0].file;
	size_t n = first ? strlen(first) : 0;

	for (size_t i = 1; first && i < e->n; i++)
		while (n && strncmp(first, e->all[i].file, n))
			n--;
	while (n && first[n - 1] != '/')
		n--;
	return n;
}

static void label_of(const struct logp_eval *e, const struct logp_model *m, char label[LABEL])
{
	const char *file = m->file ? m->file + shared_folder(e) : m->policy,
		   *suffix = strstr(file, ".tsz");
	int n = (int)(suffix && !suffix[4] && m->file ? suffix - file : (ptrdiff_t)strlen(file));

	snprintf(label, LABEL, "%.*s%s%.140s", n < 140 ? n : 140, file,
		m->file && e->policies > 1 ? ": " : "",
		m->file && e->policies > 1 ? m->policy : "");
}

/* ---- win rates */

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
	char label[LABEL];

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

/* Over a field of numbers, a curve for each policy. */
static int draw_curves(const struct logp_eval *e, struct eval_output *out, struct err *err)
{
	char title[100], label[LABEL];
	struct chart *c;

	snprintf(title, sizeof title, "Win rates by %s", e->o->by);
	c = eval_add_chart(out, CHART_LINES, title, e->o->by, "pairs won in %", err);
	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t i = 0; i < e->n; i++) {
		const struct logp_model *m = &e->all[i];

		label_of(e, m, label);
		chart_add_series(c, label);
		for (size_t g = 0; g < m->ngroups; g++) {
			const struct stats_rate *r = &m->groups[g].sequence.decided;
			struct stats_interval x = stats_rate_wilson(r, e->o->level);

			chart_add(c,
				&(struct chart_point){.x = names_number(&e->groups, (int)g),
					.y = 100 * stats_rate_value(r),
					.low = 100 * x.low,
					.high = 100 * x.high,
					.series = (int)i},
				label);
		}
	}
	chart_sort(c);
	return chart_check(c, err);
}

/* ---- margins */

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
		struct stats_interval x = stats_rate_wilson(&b->right, e->o->level);
		const struct chart_point p = {.x = 100 * b->confidence / b->right.trials,
			.y = 100 * stats_rate_value(&b->right),
			.low = 100 * x.low,
			.high = 100 * x.high};

		if (b->right.trials > 0)
			chart_add(c, &p, NULL);
	}
	return chart_check(c, err);
}

/* ---- how far policies went from the reference, and what they got for it */

static size_t folder_length(const char *label)
{
	const char *slash = strrchr(label, '/');

	return slash ? (size_t)(slash - label) : 0;
}

/*
 * Files of one folder are a series, such as a loss at several betas, and those in none are each one of their own.
 * All stays empty where there are no folders, or more than colours.
 */
static int name_series(const struct logp_eval *e, struct names *all, struct err *err)
{
	bool folders = false;
	char label[LABEL];

	for (size_t i = 0; i < e->n; i++) {
		size_t n;

		label_of(e, &e->all[i], label);
		n = folder_length(label);
		folders = folders || n;
		if (names_add(all, label, n ? n : strlen(label), err) < 0)
			return -1;
	}
	if (!folders || all->n > CHART_SERIES)
		names_release(all);
	return 0;
}

/* By the score that came with records over their KL, or by pairs won over the likelihood of the chosen. */
static struct chart_point frontier_point(const struct logp_eval *e, const struct reward *r)
{
	const struct reward_kl *kl = e->o->score ? &r->kl : &r->chosen.kl;
	struct stats_interval x = reward_kl_interval(kl, REWARD_K1, e->o->level);
	struct stats_interval y = e->o->score
					  ? stats_sample_interval(&r->given, e->o->level)
					  : stats_rate_wilson(&r->sequence.decided, e->o->level);
	double scale = e->o->score ? 1 : 100;

	return (struct chart_point){.x = stats_mean_value(&kl->k[REWARD_K1]),
		.y = e->o->score ? stats_sample_mean(&r->given)
				 : 100 * stats_rate_value(&r->sequence.decided),
		.low = scale * y.low,
		.high = scale * y.high,
		.xlow = x.low,
		.xhigh = x.high};
}

static int draw_frontier(const struct logp_eval *e, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_POINTS,
		e->o->score ? "Score and KL" : "Reward and KL",
		e->o->score ? "KL: mean log-ratio, in nats" : "mean log-ratio of chosen, in nats",
		e->o->score ? e->o->score : "pairs won in %", err);
	struct names series = {.n = 0};
	char label[LABEL];
	int rc;

	if (!c || name_series(e, &series, err)) {
		names_release(&series);
		return -1;
	}
	for (int i = 0; i < series.n; i++)
		chart_add_series(c, names_get(&series, i));
	for (size_t i = 0; i < e->n; i++) {
		struct chart_point p = frontier_point(e, &e->all[i].reward);
		const char *rest = label;
		size_t n;

		label_of(e, &e->all[i], label);
		n = folder_length(label);
		if (series.n) {
			p.series = names_find(&series, label, n ? n : strlen(label));
			rest = n ? label + n + 1 : "";
		}
		chart_add(c, &p, rest);
	}
	rc = chart_check(c, err);
	names_release(&series);
	return rc;
}

/* Means over records: of the log-ratio, or of what came with them. */
static int draw_means(
	const struct logp_eval *e, bool score, struct eval_output *out, struct err *err)
{
	struct chart *c =
		eval_add_chart(out, CHART_ROWS, score ? "Score" : "KL, had the policy written",
			score ? e->o->score : "mean log-ratio, in nats", "", err);
	char label[LABEL];

	if (!c)
		return -1;
	for (size_t i = 0; i < e->n; i++) {
		const struct reward *r = &e->all[i].reward;
		struct stats_interval x =
			score ? stats_sample_interval(&r->given, e->o->level)
			      : reward_kl_interval(&r->kl, REWARD_K1, e->o->level);

		label_of(e, &e->all[i], label);
		chart_add_row(c, label,
			score ? stats_sample_mean(&r->given)
			      : stats_mean_value(&r->kl.k[REWARD_K1]),
			x.low, x.high);
	}
	return chart_check(c, err);
}

int logp_draw(const struct logp_eval *e, struct eval_output *out, struct err *err)
{
	bool sides = logp_has_sides(e),
	     curves = names_are_numbers(&e->groups) && e->n <= CHART_SERIES;
	bool several = e->reference && e->n > 1;
	char label[LABEL];

	if ((e->o->score && several && draw_frontier(e, out, err)) ||
		(sides && draw_rates(e, out, err)) ||
		(sides && curves && draw_curves(e, out, err)) ||
		(e->reference && logp_has_singles(e) && draw_means(e, false, out, err)) ||
		(e->o->score && draw_means(e, true, out, err)))
		return -1;
	for (size_t i = 0; i < e->n; i++) {
		const struct logp_model *m = &e->all[i];

		label_of(e, m, label);
		if (!m->reward.pairs)
			continue;
		if ((m->ngroups && !curves && draw_groups(e, m, label, out, err)) ||
			draw_margins(m, label, out, err) ||
			(e->reference && draw_reliability(e, m, label, out, err)))
			return -1;
	}
	return several && sides && !e->o->score ? draw_frontier(e, out, err) : 0;
}
