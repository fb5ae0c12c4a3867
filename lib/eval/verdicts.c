#include "eval/verdicts.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

int verdicts_add(struct verdicts *v, const struct verdict *one, struct err *err)
{
	if (mem_grow(&v->all, &v->cap, v->n + 1, sizeof *v->all, err))
		return -1;
	v->all[v->n++] = *one;
	return 0;
}

void verdicts_release(struct verdicts *v)
{
	names_release(&v->models);
	names_release(&v->judges);
	names_release(&v->items);
	names_release(&v->groups);
	free(v->all);
	*v = (struct verdicts){.n = 0};
}

int verdicts_common_base(const struct verdicts *v)
{
	int candidates[2];

	if (!v->n)
		return -1;
	candidates[0] = v->all[0].base;
	candidates[1] = v->all[0].model;
	for (int c = 0; c < 2; c++) {
		size_t i = 0;

		while (i < v->n &&
			(v->all[i].base == candidates[c] || v->all[i].model == candidates[c]))
			i++;
		if (i == v->n)
			return candidates[c];
	}
	return -1;
}

int verdict_sign(double value)
{
	return (value > 0.5) - (value < 0.5);
}

double verdict_share(const struct verdict *one, int model)
{
	return one->model == model ? one->value : 1 - one->value;
}

static int by_place(const void *a, const void *b)
{
	const struct verdict *x = a, *y = b;
	const int order[] = {x->base - y->base, x->model - y->model,
		(x->item > y->item) - (x->item < y->item), x->judge - y->judge,
		(int)x->first - (int)y->first};

	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		if (order[i])
			return order[i];
	return (x->value > y->value) - (x->value < y->value);
}

/* One order of the two sides, so that both belong to one pair. */
static void turn(struct verdict *one)
{
	struct verdict was = *one;

	if (was.base <= was.model)
		return;
	one->base = was.model;
	one->model = was.base;
	one->value = 1 - was.value;
	one->base_length = was.model_length;
	one->model_length = was.base_length;
	if (was.first)
		one->first = was.first == FIRST_BASE ? FIRST_MODEL : FIRST_BASE;
}

void verdicts_sort(struct verdicts *v)
{
	for (size_t i = 0; i < v->n; i++)
		turn(&v->all[i]);
	if (v->n)
		qsort(v->all, v->n, sizeof *v->all, by_place);
}

static bool same_item(const struct verdict *a, const struct verdict *b)
{
	return a->base == b->base && a->model == b->model && a->item == b->item && a->item >= 0;
}

/* ---- win rates */

static bool chosen(const struct verdict *one, const struct winrate_choice *c)
{
	int other = one->model == c->model ? one->base : one->model;

	return (one->model == c->model || one->base == c->model) &&
	       (c->base < 0 || other == c->base) && (c->group < 0 || one->group == c->group);
}

static void count(struct winrate *w, double value, double length)
{
	w->n_total++;
	w->n_wins += value > 0.5;
	w->n_wins_base += value < 0.5;
	w->n_draws += value == 0.5;
	w->length += length < 0 ? NAN : length;
	stats_sample_add(&w->value, value);
}

int winrate_count(struct winrate *w, const struct verdicts *v, const struct winrate_choice *choice,
	size_t resamples, uint64_t seed, double level, struct err *err)
{
	struct stats_bootstrap b;

	*w = (struct winrate){.n_total = 0};
	if (stats_bootstrap_init(&b, resamples, seed, err))
		return -1;
	for (size_t i = 0, end; i < v->n; i = end) {
		double sum = 0, n = 0, value;

		for (end = i; end < v->n && (end == i || same_item(&v->all[i], &v->all[end]));
			end++) {
			const struct verdict *one = &v->all[end];

			if (!chosen(one, choice))
				continue;
			value = verdict_share(one, choice->model);
			count(w, value,
				one->model == choice->model ? one->model_length : one->base_length);
			sum += value;
			n++;
		}
		if (n) {
			stats_rate_add(&w->items, sum, n);
			stats_bootstrap_add(&b, sum, n);
		}
	}
	w->interval = stats_bootstrap_interval(&b, level);
	if (w->interval.low == w->interval.high)
		w->interval = stats_rate_wilson(&w->items, level);
	stats_bootstrap_release(&b);
	return 0;
}

double winrate_percent(const struct winrate *w)
{
	return 100 * stats_sample_mean(&w->value);
}

double winrate_standard_error(const struct winrate *w)
{
	return 100 * stats_sample_sd(&w->value) / sqrt((double)w->n_total);
}

double winrate_discrete(const struct winrate *w)
{
	return w->n_total ? 100 * ((double)w->n_wins + (double)w->n_draws / 2) / (double)w->n_total
			  : NAN;
}

/* ---- judges */

double agreement_rate(const struct agreement *a)
{
	return a->n ? (double)(a->table[0][0] + a->table[1][1] + a->table[2][2]) / (double)a->n
		    : NAN;
}

static void margins(const struct agreement *a, double row[3], double column[3])
{
	for (int i = 0; i < 3; i++) {
		row[i] = column[i] = 0;
		for (int j = 0; j < 3; j++) {
			row[i] += (double)a->table[i][j] / (double)a->n;
			column[i] += (double)a->table[j][i] / (double)a->n;
		}
	}
}

double agreement_kappa(const struct agreement *a)
{
	double row[3], column[3], chance = 0;

	if (!a->n)
		return NAN;
	margins(a, row, column);
	for (int i = 0; i < 3; i++)
		chance += row[i] * column[i];
	return chance < 1 ? (agreement_rate(a) - chance) / (1 - chance) : NAN;
}

struct stats_interval agreement_kappa_interval(const struct agreement *a, double level)
{
	double kappa = agreement_kappa(a), row[3], column[3], chance = 0, variance = 0, p, e,
	       weight;
	const double z = stats_normal_z(level);

	if (isnan(kappa))
		return (struct stats_interval){NAN, NAN};
	margins(a, row, column);
	for (int i = 0; i < 3; i++)
		chance += row[i] * column[i];
	for (int i = 0; i < 3; i++)
		for (int j = 0; j < 3; j++) {
			p = (double)a->table[i][j] / (double)a->n;
			weight = (i == j) - (column[i] + row[j]) * (1 - kappa);
			variance += p * weight * weight;
		}
	e = kappa - chance * (1 - kappa);
	variance = fmax(0, variance - e * e) / ((double)a->n * (1 - chance) * (1 - chance));
	return (struct stats_interval){
		fmax(-1, kappa - z * sqrt(variance)), fmin(1, kappa + z * sqrt(variance))};
}

static void agree(struct agreement *a, double one, double two)
{
	a->n++;
	a->table[verdict_sign(one) + 1][verdict_sign(two) + 1]++;
}

void verdicts_agreement(const struct verdicts *v, int one, int two, struct agreement *a)
{
	*a = (struct agreement){.n = 0};
	for (size_t i = 0, end; i < v->n; i = end) {
		struct stats_sample of[2] = {{.n = 0}};

		for (end = i; end < v->n && (end == i || same_item(&v->all[i], &v->all[end]));
			end++) {
			if (v->all[end].judge == one)
				stats_sample_add(&of[0], v->all[end].value);
			else if (v->all[end].judge == two)
				stats_sample_add(&of[1], v->all[end].value);
		}
		if (of[0].n && of[1].n && v->all[i].item >= 0)
			agree(a, of[0].mean, of[1].mean);
	}
}

void verdicts_position(const struct verdicts *v, struct position *p)
{
	*p = (struct position){.draws = 0};
	for (size_t i = 0, end; i < v->n; i = end) {
		struct stats_sample order[2] = {{.n = 0}};

		for (end = i;
			end < v->n && (end == i || (same_item(&v->all[i], &v->all[end]) &&
							   v->all[end].judge == v->all[i].judge));
			end++) {
			const struct verdict *one = &v->all[end];
			int sign = verdict_sign(one->value);

			if (!one->first)
				continue;
			p->draws += sign == 0;
			p->first_wins += sign == (one->first == FIRST_MODEL ? 1 : -1);
			p->second_wins += sign == (one->first == FIRST_MODEL ? -1 : 1);
			stats_sample_add(&order[one->first - FIRST_BASE], one->value);
		}
		if (order[0].n && order[1].n)
			agree(&p->orders, order[0].mean, order[1].mean);
	}
}
