/* Losses that look at a whole batch, or at more than two completions. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "learn/loss_impl.h"

int loss_state_reserve(struct loss_state *s, int64_t n, struct err *err)
{
	for (int i = 0; i < 2; i++)
		if (mem_grow(&s->room[i], &s->cap[i], (size_t)n, sizeof *s->room[i], err))
			return -1;
	return 0;
}

void loss_state_release(struct loss_state *s)
{
	free(s->room[0]);
	free(s->room[1]);
	*s = (struct loss_state)LOSS_STATE_INIT;
}

/* ---- AOT (Melnyk et al., arXiv 2406.05882): the batch's distributions, sorted, instead of single pairs */

static int by_value(const void *a, const void *b)
{
	const struct loss_ranked *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* One term -(1 - eps) LS(beta d) - eps LS(-beta d) of rank i: its value, and its slope by d. */
static double of_rank(const struct loss_params *p, double d, double *slope)
{
	double m = p->beta * d;

	*slope = -p->beta * (loss_sigmoid(-m) - p->smoothing);
	return -(1 - p->smoothing) * loss_log_sigmoid(m) - p->smoothing * loss_log_sigmoid(-m);
}

/* The examples in the order of a value. */
static void rank(
	struct loss_ranked *o, const struct loss_example *e, int64_t n, double (*of)(const struct loss_example *e))
{
	for (int64_t i = 0; i < n; i++)
		o[i] = (struct loss_ranked){of(&e[i]), i};
	qsort(o, (size_t)n, sizeof *o, by_value);
}

static double policy_margin(const struct loss_example *e)
{
	return e->p[0] - e->p[1];
}

static double reference_margin(const struct loss_example *e)
{
	return e->q ? e->q[0] - e->q[1] : 0;
}

static double chosen_ratio(const struct loss_example *e)
{
	return loss_ratio(e, 0);
}

static double rejected_ratio(const struct loss_example *e)
{
	return loss_ratio(e, 1);
}

double loss_aot(const struct loss_term *t, struct loss_state *state, struct loss_example *e, int64_t n)
{
	struct loss_ranked *a = state->room[0], *b = state->room[1];
	double sum = 0, slope;

	rank(a, e, n, policy_margin);
	rank(b, e, n, reference_margin);
	for (int64_t i = 0; i < n; i++) {
		struct loss_example *x = &e[a[i].at];
		double value = of_rank(&t->p, a[i].value - b[i].value, &slope);

		x->gp[0] += t->weight * x->weight * slope / (double)n;
		x->gp[1] -= t->weight * x->weight * slope / (double)n;
		x->loss += t->weight * x->weight * value;
		sum += x->weight * value;
	}
	return t->weight * sum / (double)n;
}

double loss_aot_unpaired(const struct loss_term *t, struct loss_state *state, struct loss_example *e, int64_t n)
{
	struct loss_ranked *w = state->room[0], *l = state->room[1];
	double sum = 0, slope;

	rank(w, e, n, chosen_ratio);
	rank(l, e, n, rejected_ratio);
	for (int64_t i = 0; i < n; i++) {
		struct loss_example *x = &e[w[i].at], *y = &e[l[i].at];
		double value = of_rank(&t->p, w[i].value - l[i].value, &slope);

		x->gp[0] += t->weight * x->weight * slope / (double)n;
		y->gp[1] -= t->weight * x->weight * slope / (double)n;
		x->loss += t->weight * x->weight * value;
		sum += x->weight * value;
	}
	return t->weight * sum / (double)n;
}

/* ---- KTO (Ethayarajh et al., arXiv 2402.01306) */

double loss_kto(const struct loss_term *t, struct loss_example *e, int64_t n, struct loss_seen *seen)
{
	const struct loss_params *p = &t->p;
	double kl = 0, sum = 0;

	for (int64_t i = 0; i < n; i++)
		kl += loss_ratio(&e[i], 1) / (double)n;
	seen->kl = kl = fmax(0, kl);
	for (int64_t i = 0; i < n; i++) {
		bool good = e[i].label[0] > 0;
		double u = p->beta * (loss_ratio(&e[i], 0) - kl), weight = good ? p->desirable : p->undesirable;
		double value = weight * loss_sigmoid(good ? -u : u);
		double slope = (good ? -1 : 1) * weight * p->beta * loss_sigmoid(u) * loss_sigmoid(-u);

		e[i].gp[0] += t->weight * slope / (double)n;
		e[i].loss += t->weight * value;
		sum += value;
	}
	return t->weight * sum / (double)n;
}

/* ---- BCO (Jung et al., arXiv 2404.04656): the shift is the running mean of all rewards seen */

static bool is_labelled(const struct loss_example *e)
{
	return e->k == 1;
}

static void learn_mean(const struct loss_params *p, struct loss_state *state, const struct loss_example *e, int64_t n)
{
	double sum = 0, count = 0;

	for (int64_t i = 0; i < n; i++)
		for (int c = 0; c < e[i].k; c++, count++)
			sum += p->beta * loss_ratio(&e[i], c);
	state->count += count;
	if (count > 0)
		state->mean += (sum / count - state->mean) * count / state->count;
}

double loss_bco(const struct loss_term *t, struct loss_state *state, bool learn, struct loss_example *e, int64_t n,
	struct loss_seen *seen)
{
	const struct loss_params *p = &t->p;
	double sum = 0;

	if (learn)
		learn_mean(p, state, e, n);
	seen->delta = state->mean;
	for (int64_t i = 0; i < n; i++)
		for (int c = 0; c < e[i].k; c++) {
			bool good = is_labelled(&e[i]) ? e[i].label[0] > 0 : c == 0;
			double u = p->beta * loss_ratio(&e[i], c) - state->mean, sign = good ? 1 : -1;
			double value = -loss_log_sigmoid(sign * u);

			e[i].gp[c] += t->weight * e[i].weight * -sign * p->beta * loss_sigmoid(-sign * u) / (double)n;
			e[i].loss += t->weight * e[i].weight * value;
			sum += e[i].weight * value;
		}
	return t->weight * sum / (double)n;
}

/* ---- rankings: the likelihood of the order under Plackett and Luce, with rewards beta (p - q) */

double loss_plackett_luce(const struct loss_term *t, struct loss_example *e, double scale)
{
	double beta = t->p.beta, value = 0, top, sum;

	for (int i = 0; i + 1 < e->k; i++) {
		top = -INFINITY;
		sum = 0;
		for (int c = i; c < e->k; c++)
			top = fmax(top, beta * loss_ratio(e, c));
		for (int c = i; c < e->k; c++)
			sum += exp(beta * loss_ratio(e, c) - top);
		value += top + log(sum) - beta * loss_ratio(e, i);
		for (int c = i; c < e->k; c++)
			e->gp[c] += scale * beta * (exp(beta * loss_ratio(e, c) - top) / sum - (c == i));
	}
	return value;
}
