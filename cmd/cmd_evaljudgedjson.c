/* Verdicts as JSON, under alpaca_eval's names. */
#include <math.h>

#include "cmd/cmd_evaljudged.h"

static void json_interval(struct buf *out, const char *name, struct stats_interval i)
{
	eval_json_interval(out, "", name, (struct stats_interval){100 * i.low, 100 * i.high});
}

static void json_rate(struct buf *out, const struct judged *j, const struct contest *c)
{
	const struct winrate *w = &c->rate;

	eval_json_number(out, "", "win_rate", winrate_percent(w));
	eval_json_number(out, "", "standard_error", winrate_standard_error(w));
	json_interval(out, "win_rate_interval", c->interval);
	eval_json_number(out, "", "n_wins", (double)w->n_wins);
	eval_json_number(out, "", "n_wins_base", (double)w->n_wins_base);
	eval_json_number(out, "", "n_draws", (double)w->n_draws);
	eval_json_number(out, "", "n_total", (double)w->n_total);
	eval_json_number(out, "", "discrete_win_rate", winrate_discrete(w));
	json_interval(
		out, "discrete_win_rate_interval", stats_rate_wilson(&w->discrete, j->o->level));
	eval_json_number(out, "", "avg_length", w->length / (double)w->n_total);
}

static void json_contest(struct buf *out, const struct judged *j, const struct contest *c)
{
	const struct length_rate *l = &c->controlled;

	eval_json_string(out, "model", judged_name(j, c->model));
	eval_json_string(out, "base", j->base < 0 ? NULL : judged_name(j, j->base));
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
	const int judges = judged_judges(j);
	struct agreement a;

	eval_json_open(out, "position", '{');
	eval_json_number(out, "", "first_wins", (double)p->first_wins);
	eval_json_number(out, "", "second_wins", (double)p->second_wins);
	eval_json_number(out, "", "draws", (double)p->draws);
	eval_json_number(
		out, "", "first_rate", decided > 0 ? (double)p->first_wins / decided : NAN);
	eval_json_interval(
		out, "", "first_rate_interval", stats_rate_wilson(&p->first, j->o->level));
	eval_json_open(out, "both_orders", '{');
	json_agreement(out, j, &p->orders);
	eval_json_close(out, '}');
	eval_json_close(out, '}');
	eval_json_open(out, "judges", '[');
	for (int one = 0; one < judges; one++)
		for (int two = one + 1; two < judges; two++) {
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
		eval_json_string(out, "model", judged_name(j, r->model));
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

void judged_put_json(struct buf *out, const struct judged *j)
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
			eval_json_string(
				out, "group", names_get(&j->v->groups, j->groups[i].group));
			eval_json_string(out, "model", judged_name(j, j->groups[i].model));
			json_rate(out, j, &j->groups[i]);
			eval_json_close(out, '}');
		}
		eval_json_close(out, ']');
	}
	if (j->ratings.n)
		json_ratings(out, j);
	json_judges(out, j);
	eval_json_doubts(out, judged_doubts, j->doubts);
	buf_add_str(out, "}\n");
}
