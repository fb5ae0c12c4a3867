#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cmd/cmd_evaljudged.h"

static void put_rate(struct table *t, const struct contest *c)
{
	const struct winrate *w = &c->rate;

	table_count(t, w->n_wins);
	table_count(t, w->n_draws);
	table_count(t, w->n_wins_base);
	table_number(t, winrate_percent(w), 2, judged_undecided(c) ? " %?" : " %");
	table_number(t, winrate_standard_error(w), 2, "");
	table_interval(t, c->interval, 100, 2, " %");
	table_number(t, winrate_discrete(w), 2, " %");
}

/* Of some model's answers. */
static bool has_lengths(const struct judged *j)
{
	for (size_t i = 0; i < j->n; i++)
		if (!isnan(j->all[i].rate.length))
			return true;
	return false;
}

static void put_contests(struct buf *out, const struct judged *j)
{
	const bool lengths = has_lengths(j);
	const char *const heads[] = {j->base < 0 ? "against the others" : "against the base",
		"wins", "draws", "losses", "win rate", "error", "interval", "discrete",
		lengths ? "length" : NULL, "even length", "interval", NULL};
	struct table t = TABLE_INIT;

	eval_put_heads(&t, j->o->level, heads);
	for (size_t i = 0; i < j->n; i++) {
		const struct contest *c = &j->all[i];

		table_add(&t, "%s", judged_name(j, c->model));
		put_rate(&t, c);
		if (lengths) {
			table_number(&t, c->rate.length / (double)c->rate.n_total, 0, "");
			table_number(&t, c->controlled.percent, 2, judged_pulled(c) ? " %!" : " %");
			table_interval(&t, c->controlled.interval, 1, 2, " %");
		}
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
		table_add(&t, "%s", judged_name(j, j->groups[i].model));
		put_rate(&t, &j->groups[i]);
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

		table_add(&t, "%s", judged_name(j, r->model));
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
	const int judges = judged_judges(j);
	const uint64_t decided = p->first_wins + p->second_wins;
	char name[200];
	const char *const heads[] = {"agreement", "pairs", "the same", "kappa", "interval", NULL};
	struct table t = TABLE_INIT;
	struct agreement a;
	struct stats_interval first = stats_rate_wilson(&p->first, j->o->level);

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
	for (int one = 0; one < judges; one++)
		for (int two = one + 1; two < judges; two++) {
			snprintf(name, sizeof name, "%.90s, %.90s", names_get(&j->v->judges, one),
				names_get(&j->v->judges, two));
			verdicts_agreement(j->v, one, two, &a);
			put_agreement(&t, j, name, &a);
		}
	if (p->orders.n || judges > 1) {
		buf_add_char(out, '\n');
		table_put(&t, out);
	}
	table_release(&t);
}

void judged_put_text(struct buf *out, const struct judged *j)
{
	buf_add_fmt(out, "%zu verdicts", j->v->n);
	if (j->v->items.n)
		buf_add_fmt(out, " on %d items", j->v->items.n);
	else if (j->v->n)
		buf_add_str(out, ", each taken for an item of its own");
	if (j->v->judges.n)
		buf_add_fmt(out, " by %d judge%s", j->v->judges.n, j->v->judges.n > 1 ? "s" : "");
	if (j->v->unjudged)
		buf_add_fmt(out, "; %" PRIu64 " without one", j->v->unjudged);
	if (j->base >= 0)
		buf_add_fmt(out, "; base '%s'", judged_name(j, j->base));
	buf_add_str(out, "\n\n");
	put_contests(out, j);
	if (j->ngroups)
		put_groups(out, j);
	if (j->ratings.n)
		put_ratings(out, j);
	put_judges(out, j);
	eval_put_doubts(out, judged_doubts, j->doubts);
}
