/* A batch: each loss of the list, added up. */
#include <string.h>

#include "learn/loss_impl.h"

/* A pair's term; derivatives by p go into e->gp, times scale. */
static double eval_pair(const struct loss *l, const struct loss_term *t, struct loss_example *e, double scale)
{
	double slope_w, slope_l, value;
	struct loss_pair x = {
		.sw = loss_score(l, loss_ratio(e, 0), &slope_w),
		.sl = loss_score(l, loss_ratio(e, 1), &slope_l),
		.pw = e->p[0],
		.pl = e->p[1],
		.nw = (double)e->n[0],
		.nl = (double)e->n[1],
	};

	value = loss_of_pair(t->id, &t->p, &x);
	e->gp[0] += scale * x.gw * slope_w;
	e->gp[1] += scale * x.gl * slope_l;
	return value;
}

/* A term that is a mean over examples. */
static double eval_mean(const struct loss *l, const struct loss_term *t, struct loss_example *e, int64_t n,
	const struct loss_totals *totals)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++) {
		double scale = t->weight * e[i].weight / (double)totals->examples, value, g;

		if (t->id == LOSS_PLACKETT_LUCE) {
			value = loss_plackett_luce(t, &e[i], scale);
		} else if (e[i].k == 1) {
			value = loss_apo_labelled(&t->p, loss_ratio(&e[i], 0), e[i].label[0] > 0, &g);
			e[i].gp[0] += scale * g;
		} else {
			value = eval_pair(l, t, &e[i], scale);
		}
		e[i].loss += t->weight * e[i].weight * value;
		sum += scale * value;
	}
	return sum;
}

/* weight times the mean negative log-prob of first completions, over the batch's tokens. */
static double eval_tokens(double weight, struct loss_example *e, int64_t n, const struct loss_totals *totals)
{
	double sum = 0, scale = weight / (double)totals->tokens;

	for (int64_t i = 0; i < n; i++) {
		e[i].graw[0] -= scale;
		e[i].loss -= weight * e[i].raw[0] / (double)e[i].n[0];
		sum -= scale * e[i].raw[0];
	}
	return sum;
}

double loss_eval(const struct loss *l, struct loss_state *state, bool learn, struct loss_example *e, int64_t n,
	const struct loss_totals *totals, struct loss_seen *seen)
{
	double sum = 0;

	*seen = (struct loss_seen){0};
	for (int64_t i = 0; i < n; i++) {
		e[i].loss = 0;
		memset(e[i].gp, 0, sizeof *e[i].gp * (size_t)e[i].k);
		memset(e[i].graw, 0, sizeof *e[i].graw * (size_t)e[i].k);
	}
	for (int i = 0; i < l->n; i++) {
		const struct loss_term *t = &l->term[i];

		if (t->id == LOSS_SFT)
			sum += eval_tokens(t->weight, e, n, totals);
		else if (t->id == LOSS_AOT)
			sum += loss_aot(t, state, e, n);
		else if (t->id == LOSS_AOT_UNPAIRED)
			sum += loss_aot_unpaired(t, state, e, n);
		else if (t->id == LOSS_KTO)
			sum += loss_kto(t, e, n, seen);
		else if (t->id == LOSS_BCO)
			sum += loss_bco(t, state, learn, e, n, seen);
		else
			sum += eval_mean(l, t, e, n, totals);
		if (t->id == LOSS_CPO && t->p.nll > 0)
			sum += eval_tokens(t->weight * t->p.nll, e, n, totals);
	}
	return sum;
}
