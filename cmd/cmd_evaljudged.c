/* evalwin of verdicts: win rates, ratings, and how far the judges can be trusted. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/cmd_eval.h"
#include "cmd/cmd_verdicts.h"
#include "eval/bradley_terry.h"
#include "eval/length_control.h"
#include "eval/table.h"
#include "io/json.h"

#define ENOUGH 30

enum {
	NO_VERDICTS = 1,
	FEW_ITEMS = 2,
	ALL_TIES = 4,
	UNDECIDED = 8,
	NOT_DETERMINED = 16,
	ONE_MODEL = 32,
	FIRST_WINS = 64,
	FEW_IN_GROUP = 128,
	UNJUDGED = 256,
};

static const struct eval_doubt doubts[] = {
	{NO_VERDICTS, "no-verdicts", "there are no verdicts: nothing can be said of win rates"},
	{FEW_ITEMS, "few-items", "fewer than 30 items behind a rate: too few to tell much"},
	{ALL_TIES, "all-ties", "all verdicts are draws: the judge tells nothing apart"},
	{UNDECIDED, "undecided",
		"a win rate's interval, marked ?, holds one half: it may be chance"},
	{NOT_DETERMINED, "not-determined",
		"some model won or lost all its battles: its rating has no limit, and the number "
		"means nothing"},
	{ONE_MODEL, "no-difficulties",
		"one model and no --difficulty: the length-controlled rate is by length alone, and "
		"rough"},
	{FIRST_WINS, "position-bias",
		"the judge prefers one place: its interval does not hold one half"},
	{UNJUDGED, "unjudged", "some have no verdict: all rates are of the others"},
	{FEW_IN_GROUP, "few-in-group", "a group has fewer than 30 items: too few to tell much"},
	{0},
};

/* A model against the base, or against all where there is none. */
struct contest {
	int model, group; /* group: -1 for all */
	struct winrate rate;
	struct length_rate controlled;
};

struct judged {
	const struct eval_options *o;
	struct verdicts *v;
	int base; /* -1: none */
	struct contest *all, *groups;
	size_t n, ngroups;
	struct length_control lengths;
	struct ratings ratings;
	struct position position;
	unsigned doubts;
};

static struct stats_interval rate_interval(const struct judged *j, const struct contest *c)
{
	struct stats_bootstrap b = c->rate.bootstrap;

	return stats_bootstrap_interval(&b, j->o->level);
}

static struct stats_interval discrete_interval(const struct judged *j, const struct winrate *w)
{
	return stats_wilson(
		(double)w->n_wins + (double)w->n_draws / 2, (double)w->n_total, j->o->level);
}

static bool undecided(const struct judged *j, const struct contest *c)
{
	struct stats_interval i = rate_interval(j, c);

	return i.low <= 0.5 && i.high >= 0.5;
}

/* ---- the figures */

static int best_first(const void *a, const void *b)
{
	const struct contest *x = a, *y = b;
	double p = stats_sample_mean(&x->rate.value), q = stats_sample_mean(&y->rate.value);

	if (x->model == y->model || p == q)
		return x->model != y->model ? x->model - y->model : x->group - y->group;
	return p < q ? 1 : -1;
}

static int add_contest(
	struct judged *j, struct contest *to, size_t *n, int model, int group, struct err *err)
{
	const struct winrate_choice choice = {model, j->base, group};
	struct contest *c = &to[*n];

	*c = (struct contest){.model = model, .group = group, .controlled = {.percent = NAN}};
	if (winrate_init(
		    &c->rate, j->v, &choice, (size_t)j->o->resamples, (uint64_t)j->o->seed, err) ||
		(group < 0 && j->base >= 0 &&
			length_control_rate(&j->lengths, model, j->o->level, &c->controlled, err)))
		return -1;
	if (c->rate.n_total)
		++*n;
	else
		winrate_release(&c->rate);
	return 0;
}

static int compare_models(struct judged *j, struct err *err)
{
	size_t models = (size_t)j->v->models.n, groups = (size_t)j->v->groups.n;

	j->all = mem_new(models, sizeof *j->all, err);
	j->groups = mem_new(models, groups * sizeof *j->groups, err);
	if (!j->all || !j->groups)
		return -1;
	for (int m = 0; m < j->v->models.n; m++) {
		if (m == j->base)
			continue;
		if (add_contest(j, j->all, &j->n, m, -1, err))
			return -1;
		for (int g = 0; g < j->v->groups.n; g++)
			if (add_contest(j, j->groups, &j->ngroups, m, g, err))
				return -1;
	}
	qsort(j->all, j->n, sizeof *j->all, best_first);
	return 0;
}

static struct stats_interval first_interval(const struct judged *j)
{
	const struct position *p = &j->position;

	return stats_wilson(
		(double)p->first_wins, (double)p->first_wins + (double)p->second_wins, j->o->level);
}

static void find_doubts(struct judged *j)
{
	const struct position *p = &j->position;
	struct stats_interval first = first_interval(j);
	bool ties = j->n > 0;

	j->doubts = j->v->n ? 0 : NO_VERDICTS;
	for (size_t i = 0; i < j->n; i++) {
		const struct contest *c = &j->all[i];

		j->doubts |= c->rate.items.clusters < ENOUGH ? FEW_ITEMS : 0;
		j->doubts |= undecided(j, c) ? UNDECIDED : 0;
		j->doubts |=
			!isnan(c->controlled.percent) && !j->lengths.difficulty ? ONE_MODEL : 0;
		ties = ties && c->rate.n_draws == c->rate.n_total;
	}
	for (size_t i = 0; i < j->ngroups; i++)
		j->doubts |= j->groups[i].rate.items.clusters < ENOUGH ? FEW_IN_GROUP : 0;
	j->doubts |= ties ? ALL_TIES : 0;
	j->doubts |= j->v->unjudged ? UNJUDGED : 0;
	j->doubts |= j->ratings.n && !j->ratings.determined ? NOT_DETERMINED : 0;
	/* A judge's place is told from its models' only where both orders were judged. */
	j->doubts |= p->orders.n && (first.low > 0.5 || first.high < 0.5) ? FIRST_WINS : 0;
}

static int find_base(struct judged *j, struct err *err)
{
	const char *name = j->o->baseline;

	j->base = name ? names_find(&j->v->models, name, strlen(name)) : verdicts_common_base(j->v);
	if (name && j->base < 0)
		return err_set(err, ERR_MISMATCH, "no verdict is on the model '%s'", name);
	return 0;
}

static int evaluate(struct judged *j, struct err *err)
{
	double *difficulty = NULL;
	int rc = -1;

	if (find_base(j, err))
		return -1;
	verdicts_sort(j->v);
	if (j->o->difficulty) {
		difficulty = cmd_difficulties_read(j->v, j->o->difficulty, err);
		if (!difficulty)
			return -1;
	}
	if (j->base >= 0 && length_control_init(&j->lengths, j->v, j->base, difficulty, err))
		goto out;
	if (j->o->save_difficulty) {
		if (!j->lengths.difficulty) {
			err_set(err, ERR_FAILED,
				"difficulties cannot be estimated: there are no two models with "
				"lengths and a common base");
			goto out;
		}
		if (cmd_difficulties_write(
			    j->v, j->lengths.difficulty, j->o->save_difficulty, err))
			goto out;
	}
	if (compare_models(j, err) ||
		(j->v->models.n > 2 &&
			ratings_init(&j->ratings, j->v, j->base, (size_t)j->o->resamples,
				(uint64_t)j->o->seed, j->o->level, err)))
		goto out;
	verdicts_position(j->v, &j->position);
	find_doubts(j);
	rc = 0;
out:
	free(difficulty);
	return rc;
}

/* ---- as text */

static const char *model_name(const struct judged *j, int model)
{
	return names_get(&j->v->models, model);
}

static void put_rate(struct table *t, const struct judged *j, const struct contest *c)
{
	const struct winrate *w = &c->rate;

	table_count(t, w->n_wins);
	table_count(t, w->n_draws);
	table_count(t, w->n_wins_base);
	table_number(t, winrate_percent(w), 2, undecided(j, c) ? " %?" : " %");
	table_number(t, winrate_standard_error(w), 2, "");
	table_interval(t, rate_interval(j, c), 100, 2, " %");
	table_number(t, winrate_discrete(w), 2, " %");
}

static void put_contests(struct buf *out, const struct judged *j)
{
	const char *const heads[] = {j->base < 0 ? "against the others" : "against the base",
		"wins", "draws", "losses", "win rate", "error", "interval", "discrete", "length",
		"even length", "interval", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, j->o->level, heads);
	for (size_t i = 0; i < j->n; i++) {
		const struct contest *c = &j->all[i];

		table_add(&t, "%s", model_name(j, c->model));
		put_rate(&t, j, c);
		table_number(&t, c->rate.length / (double)c->rate.n_total, 0, "");
		table_number(&t, c->controlled.percent, 2, " %");
		table_interval(&t, c->controlled.interval, 1, 2, " %");
		table_row(&t);
	}
	table_put(&t, out);
	table_release(&t);
}

static void put_groups(struct buf *out, const struct judged *j)
{
	const char *const heads[] = {j->o->by, "model", "wins", "draws", "losses", "win rate",
		"error", "interval", "discrete", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, j->o->level, heads);
	for (size_t i = 0; i < j->ngroups; i++) {
		table_add(&t, "%s", names_get(&j->v->groups, j->groups[i].group));
		table_add(&t, "%s", model_name(j, j->groups[i].model));
		put_rate(&t, j, &j->groups[i]);
		table_row(&t);
	}
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

static void put_ratings(struct buf *out, const struct judged *j)
{
	const char *const heads[] = {"Bradley-Terry", "rank", "rating", "interval", "ranks", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, j->o->level, heads);
	for (int i = 0; i < j->ratings.n; i++) {
		const struct rating *r = &j->ratings.all[i];

		table_add(&t, "%s", model_name(j, r->model));
		table_add(&t, "%d", r->rank);
		table_number(&t, r->value, 1, "");
		table_interval(&t, r->interval, 1, 1, "");
		if (r->rank_low)
			table_add(&t, "%d to %d", r->rank_low, r->rank_high);
		else
			table_add(&t, "-");
		table_row(&t);
	}
	buf_add_char(out, '\n');
	table_put(&t, out);
	table_release(&t);
}

static void put_agreement(
	struct table *t, const struct judged *j, const char *what, const struct agreement *a)
{
	table_add(t, "%s", what);
	table_count(t, a->n);
	table_number(t, 100 * agreement_rate(a), 2, " %");
	table_number(t, agreement_kappa(a), 3, "");
	table_interval(t, agreement_kappa_interval(a, j->o->level), 1, 3, "");
	table_row(t);
}

static void put_judges(struct buf *out, const struct judged *j)
{
	const struct position *p = &j->position;
	const uint64_t decided = p->first_wins + p->second_wins;
	char name[200];
	const char *const heads[] = {"agreement", "pairs", "the same", "kappa", "interval", NULL};
	struct table t = TABLE_INIT;
	struct agreement a;
	struct stats_interval first = first_interval(j);

	if (decided)
		buf_add_fmt(out,
			"\nthe first answer won %.2f %% of %" PRIu64
			" decided verdicts (%.2f to %.2f %%)%s\n",
			100 * (double)p->first_wins / (double)decided, decided, 100 * first.low,
			100 * first.high,
			p->orders.n ? ""
				    : ", of which none was judged in both orders: it may be the "
				      "models");
	else
		buf_add_str(out, "\nthe order of answers is not told: nothing can be said of "
				 "position bias\n");
	eval_put_heads(&t, j->o->level, heads);
	if (p->orders.n)
		put_agreement(&t, j, "both orders", &p->orders);
	for (int one = 0; one < j->v->judges.n; one++)
		for (int two = one + 1; two < j->v->judges.n; two++) {
			snprintf(name, sizeof name, "%.90s, %.90s", names_get(&j->v->judges, one),
				names_get(&j->v->judges, two));
			verdicts_agreement(j->v, one, two, &a);
			put_agreement(&t, j, name, &a);
		}
	if (p->orders.n || j->v->judges.n > 1) {
		buf_add_char(out, '\n');
		table_put(&t, out);
	}
	table_release(&t);
}

static void put_text(struct buf *out, const struct judged *j)
{
	buf_add_fmt(out, "%zu verdicts on %d items by %d judge%s", j->v->n, j->v->items.n,
		j->v->judges.n ? j->v->judges.n : 1, j->v->judges.n > 1 ? "s" : "");
	if (j->v->unjudged)
		buf_add_fmt(out, "; %" PRIu64 " without one", j->v->unjudged);
	if (j->base >= 0)
		buf_add_fmt(out, "; base '%s'", model_name(j, j->base));
	buf_add_str(out, "\n\n");
	put_contests(out, j);
	if (j->ngroups)
		put_groups(out, j);
	if (j->ratings.n)
		put_ratings(out, j);
	put_judges(out, j);
	eval_put_doubts(out, doubts, j->doubts);
}

/* ---- as JSON, under alpaca_eval's names */

static void json_rate(struct buf *out, const struct judged *j, const struct contest *c)
{
	const struct winrate *w = &c->rate;
	struct stats_interval i = rate_interval(j, c);

	eval_json_number(out, "", "win_rate", winrate_percent(w));
	eval_json_number(out, "", "standard_error", winrate_standard_error(w));
	eval_json_interval(
		out, "", "win_rate_interval", (struct stats_interval){100 * i.low, 100 * i.high});
	eval_json_number(out, "", "n_wins", (double)w->n_wins);
	eval_json_number(out, "", "n_wins_base", (double)w->n_wins_base);
	eval_json_number(out, "", "n_draws", (double)w->n_draws);
	eval_json_number(out, "", "n_total", (double)w->n_total);
	eval_json_number(out, "", "discrete_win_rate", winrate_discrete(w));
	i = discrete_interval(j, w);
	eval_json_interval(out, "", "discrete_win_rate_interval",
		(struct stats_interval){100 * i.low, 100 * i.high});
	eval_json_number(out, "", "avg_length", w->length / (double)w->n_total);
}

static void json_contest(struct buf *out, const struct judged *j, const struct contest *c)
{
	const struct length_rate *l = &c->controlled;

	eval_json_string(out, "model", model_name(j, c->model));
	eval_json_string(out, "base", j->base < 0 ? NULL : model_name(j, j->base));
	json_rate(out, j, c);
	if (isnan(l->percent))
		return;
	eval_json_number(out, "", "length_controlled_winrate", l->percent);
	eval_json_number(out, "", "lc_standard_error", l->standard_error);
	eval_json_interval(out, "", "length_controlled_winrate_interval", l->interval);
	eval_json_number(out, "", "lc_weight_length", l->length);
	eval_json_number(out, "", "lc_weight_difficulty", l->difficulty);
	eval_json_number(out, "", "lc_weight_intercept", l->intercept);
}

static void json_agreement(struct buf *out, const struct judged *j, const struct agreement *a)
{
	eval_json_number(out, "", "pairs", (double)a->n);
	eval_json_number(out, "", "agreement", agreement_rate(a));
	eval_json_number(out, "", "kappa", agreement_kappa(a));
	eval_json_interval(out, "", "kappa_interval", agreement_kappa_interval(a, j->o->level));
}

static void json_judges(struct buf *out, const struct judged *j)
{
	const struct position *p = &j->position;
	const double decided = (double)p->first_wins + (double)p->second_wins;
	struct agreement a;

	eval_json_open(out, "position", '{');
	eval_json_number(out, "", "first_wins", (double)p->first_wins);
	eval_json_number(out, "", "second_wins", (double)p->second_wins);
	eval_json_number(out, "", "draws", (double)p->draws);
	eval_json_number(
		out, "", "first_rate", decided > 0 ? (double)p->first_wins / decided : NAN);
	eval_json_interval(out, "", "first_rate_interval", first_interval(j));
	eval_json_open(out, "both_orders", '{');
	json_agreement(out, j, &p->orders);
	eval_json_close(out, '}');
	eval_json_close(out, '}');
	eval_json_open(out, "judges", '[');
	for (int one = 0; one < j->v->judges.n; one++)
		for (int two = one + 1; two < j->v->judges.n; two++) {
			verdicts_agreement(j->v, one, two, &a);
			eval_json_open(out, NULL, '{');
			eval_json_string(out, "judge_1", names_get(&j->v->judges, one));
			eval_json_string(out, "judge_2", names_get(&j->v->judges, two));
			json_agreement(out, j, &a);
			eval_json_close(out, '}');
		}
	eval_json_close(out, ']');
}

static void json_ratings(struct buf *out, const struct judged *j)
{
	eval_json_open(out, "ratings", '[');
	for (int i = 0; i < j->ratings.n; i++) {
		const struct rating *r = &j->ratings.all[i];

		eval_json_open(out, NULL, '{');
		eval_json_string(out, "model", model_name(j, r->model));
		eval_json_number(out, "", "rating", r->value);
		eval_json_interval(out, "", "rating_interval", r->interval);
		eval_json_number(out, "", "rank", r->rank);
		eval_json_interval(out, "", "rank_interval",
			r->rank_low ? (struct stats_interval){r->rank_low, r->rank_high}
				    : (struct stats_interval){NAN, NAN});
		eval_json_close(out, '}');
	}
	eval_json_close(out, ']');
}

static void put_json(struct buf *out, const struct judged *j)
{
	buf_add_char(out, '{');
	if (j->n == 1)
		json_contest(out, j, &j->all[0]);
	eval_json_number(out, "", "verdicts", (double)j->v->n);
	eval_json_number(out, "", "unjudged", (double)j->v->unjudged);
	eval_json_number(out, "", "items", j->v->items.n);
	eval_json_number(out, "", "level", j->o->level);
	eval_json_open(out, "models", '[');
	for (size_t i = 0; i < j->n; i++) {
		eval_json_open(out, NULL, '{');
		json_contest(out, j, &j->all[i]);
		eval_json_close(out, '}');
	}
	eval_json_close(out, ']');
	if (j->ngroups) {
		eval_json_open(out, "by", '[');
		for (size_t i = 0; i < j->ngroups; i++) {
			eval_json_open(out, NULL, '{');
			eval_json_string(out, "group", names_get(&j->v->groups, j->groups[i].group));
			eval_json_string(out, "model", model_name(j, j->groups[i].model));
			json_rate(out, j, &j->groups[i]);
			eval_json_close(out, '}');
		}
		eval_json_close(out, ']');
	}
	if (j->ratings.n)
		json_ratings(out, j);
	json_judges(out, j);
	eval_json_doubts(out, doubts, j->doubts);
	buf_add_str(out, "}\n");
}

/* ---- as charts */

static int draw_rates(const struct judged *j, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_ROWS, "Win rates", "win rate in %", "", err);

	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t i = 0; i < j->n; i++) {
		struct stats_interval x = rate_interval(j, &j->all[i]);

		chart_add_row(c, model_name(j, j->all[i].model), winrate_percent(&j->all[i].rate), 100 * x.low,
			100 * x.high);
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
		c = c ? c : eval_add_chart(out, CHART_ROWS, "Win rates at even length", "win rate in %", "", err);
		if (!c)
			return -1;
		chart_guide(c, 50);
		chart_add_row(c, model_name(j, j->all[i].model), l->percent, l->interval.low, l->interval.high);
	}
	return c ? chart_check(c, err) : 0;
}

static int draw_ratings(const struct judged *j, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_ROWS, "Bradley-Terry ratings", "rating", "", err);

	if (!c)
		return -1;
	for (int i = 0; i < j->ratings.n; i++) {
		const struct rating *r = &j->ratings.all[i];

		chart_add_row(c, model_name(j, r->model), r->value, r->interval.low, r->interval.high);
	}
	return chart_check(c, err);
}

static int draw_groups(const struct judged *j, struct eval_output *out, struct err *err)
{
	struct chart *c = eval_add_chart(out, CHART_ROWS, "Win rates by group", "win rate in %", j->o->by, err);
	char label[200];

	if (!c)
		return -1;
	chart_guide(c, 50);
	for (size_t i = 0; i < j->ngroups; i++) {
		const struct contest *g = &j->groups[i];
		struct stats_interval x = rate_interval(j, g);

		snprintf(label, sizeof label, "%s%s%s", names_get(&j->v->groups, g->group), j->n > 1 ? ": " : "",
			j->n > 1 ? model_name(j, g->model) : "");
		chart_add_row(c, label, winrate_percent(&g->rate), 100 * x.low, 100 * x.high);
	}
	return chart_check(c, err);
}

static int draw(const struct judged *j, struct eval_output *out, struct err *err)
{
	return draw_rates(j, out, err) || draw_controlled(j, out, err) || (j->ngroups && draw_groups(j, out, err)) ||
			       (j->ratings.n && draw_ratings(j, out, err))
		       ? -1
		       : 0;
}

int eval_verdicts(const struct eval_options *o, struct verdicts *v, struct eval_output *out, struct err *err)
{
	struct judged j = {.o = o, .v = v, .base = -1};
	int rc = evaluate(&j, err);

	if (rc == 0) {
		put_text(&out->text, &j);
		put_json(&out->json, &j);
		rc = draw(&j, out, err);
	}
	for (size_t i = 0; i < j.n; i++)
		winrate_release(&j.all[i].rate);
	for (size_t i = 0; i < j.ngroups; i++)
		winrate_release(&j.groups[i].rate);
	free(j.all);
	free(j.groups);
	length_control_release(&j.lengths);
	ratings_release(&j.ratings);
	return rc;
}

int eval_judged(
	const struct eval_options *o, char *const *paths, int n, struct eval_output *out, struct err *err)
{
	struct verdicts v = {.n = 0};
	int rc = 0;

	cmd_progress_start("verdicts", 0);
	for (int i = 0; rc == 0 && i < (n ? n : 1); i++)
		rc = cmd_verdicts_read(&v, n ? paths[i] : "-", o->by, err);
	cmd_progress_end();
	rc = rc || eval_verdicts(o, &v, out, err) ? -1 : 0;
	verdicts_release(&v);
	return rc;
}
