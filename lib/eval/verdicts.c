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
	const int order[] = {(x->item > y->item) - (x->item < y->item), x->base - y->base,
		x->model - y->model, x->judge - y->judge, (int)x->first - (int)y->first};

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

size_t verdicts_item_end(const struct verdicts *v, size_t i)
{
	size_t end = i + 1;

	while (end < v->n && v->all[i].item >= 0 && v->all[end].item == v->all[i].item)
		end++;
	return end;
}

/* Of those, the ones on the same two models; with by_judge, of the same judge. */
static size_t models_end(const struct verdicts *v, size_t i, size_t last, bool by_judge)
{
	const struct verdict *a = &v->all[i];
	size_t end = i + 1;

	while (end < last && v->all[end].base == a->base && v->all[end].model == a->model &&
		(!by_judge || v->all[end].judge == a->judge))
		end++;
	return end;
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

void winrate_count(struct winrate *w, const struct verdicts *v, const struct winrate_choice *choice)
{
	*w = (struct winrate){.n_total = 0};
	for (size_t i = 0, end; i < v->n; i = end) {
		double sum = 0, discrete = 0, n = 0, value;

		end = verdicts_item_end(v, i);
		for (size_t j = i; j < end; j++) {
			const struct verdict *one = &v->all[j];

			if (!chosen(one, choice))
				continue;
			value = verdict_share(one, choice->model);
			count(w, value,
				one->model == choice->model ? one->model_length : one->base_length);
			sum += value;
			discrete += (1 + verdict_sign(value)) / 2.0;
			n++;
		}
		stats_rate_add(&w->items, sum, n);
		stats_rate_add(&w->discrete, discrete, n);
	}
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

static double by_chance(const struct agreement *a)
{
	double row[3], column[3], sum = 0;

	margins(a, row, column);
	for (int i = 0; i < 3; i++)
		sum += row[i] * column[i];
	return sum;
}

double agreement_kappa(const struct agreement *a)
{
	double chance = a->n ? by_chance(a) : 1;

	return chance < 1 ? (agreement_rate(a) - chance) / (1 - chance) : NAN;
}

void agreement_add(struct agreement *a, const uint64_t counts[9])
{
	uint64_t before = a->n;

	for (int i = 0; i < 9; i++) {
		a->n += counts[i];
		a->table[i / 3][i % 3] += counts[i];
		for (int j = 0; j < 9; j++)
			a->products[i][j] += (double)counts[i] * (double)counts[j];
	}
	a->items += a->n > before;
}

/* The rate of agreement as if each verdict's part in it were its part in kappa. */
static struct stats_rate as_rate(const struct agreement *a, double kappa, double chance)
{
	const double n = (double)a->n, agree = agreement_rate(a),
		     mean = kappa - chance * (1 - kappa);
	struct stats_rate r = {.clusters = a->items, .hits = n * agree, .trials = n};
	double row[3], column[3], part[9];

	margins(a, row, column);
	for (int i = 0; i < 9; i++)
		part[i] = agree + (i / 3 == i % 3) - (column[i / 3] + row[i % 3]) * (1 - kappa) -
			  mean;
	for (int i = 0; i < 9; i++)
		for (int j = 0; j < 9; j++) {
			r.hits2 += a->products[i][j] * part[i] * part[j];
			r.both += a->products[i][j] * part[i];
			r.trials2 += a->products[i][j];
		}
	return r;
}

struct stats_interval agreement_kappa_interval(const struct agreement *a, double level)
{
	double kappa = agreement_kappa(a), chance;
	struct stats_rate rate;
	struct stats_interval i;

	if (isnan(kappa))
		return (struct stats_interval){NAN, NAN};
	chance = by_chance(a);
	rate = as_rate(a, kappa, chance);
	i = stats_rate_wilson(&rate, level);
	return (struct stats_interval){
		(i.low - chance) / (1 - chance), (i.high - chance) / (1 - chance)};
}

/* Their means on the same thing, where both judged it. */
static void agree(
	uint64_t counts[9], const struct stats_sample *one, const struct stats_sample *two)
{
	if (one->n && two->n)
		counts[3 * (verdict_sign(one->mean) + 1) + verdict_sign(two->mean) + 1]++;
}

void verdicts_agreement(const struct verdicts *v, int one, int two, struct agreement *a)
{
	*a = (struct agreement){.n = 0};
	for (size_t i = 0, end, next; i < v->n; i = end) {
		uint64_t counts[9] = {0};

		end = verdicts_item_end(v, i);
		for (size_t j = i; j < end; j = next) {
			struct stats_sample of[2] = {{.n = 0}};

			next = models_end(v, j, end, false);
			for (size_t k = j; k < next; k++)
				if (v->all[k].judge == one)
					stats_sample_add(&of[0], v->all[k].value);
				else if (v->all[k].judge == two)
					stats_sample_add(&of[1], v->all[k].value);
			if (v->all[j].item >= 0)
				agree(counts, &of[0], &of[1]);
		}
		agreement_add(a, counts);
	}
}

/* Who won, the first or the second; what is decided goes into the item's hits and trials. */
static void count_place(struct position *p, const struct verdict *one, double *hits, double *trials)
{
	int sign = verdict_sign(one->value), first = one->first == FIRST_MODEL ? sign : -sign;

	p->first_wins += first > 0;
	p->second_wins += first < 0;
	p->draws += first == 0;
	*hits += first > 0;
	*trials += first != 0;
}

void verdicts_position(const struct verdicts *v, struct position *p)
{
	*p = (struct position){.draws = 0};
	for (size_t i = 0, end, next; i < v->n; i = end) {
		uint64_t counts[9] = {0};
		double hits = 0, trials = 0;

		end = verdicts_item_end(v, i);
		for (size_t j = i; j < end; j = next) {
			struct stats_sample order[2] = {{.n = 0}};

			next = models_end(v, j, end, true);
			for (size_t k = j; k < next; k++)
				if (v->all[k].first) {
					count_place(p, &v->all[k], &hits, &trials);
					stats_sample_add(&order[v->all[k].first - FIRST_BASE],
						v->all[k].value);
				}
			agree(counts, &order[0], &order[1]);
		}
		agreement_add(&p->orders, counts);
		stats_rate_add(&p->first, hits, trials);
	}
}
