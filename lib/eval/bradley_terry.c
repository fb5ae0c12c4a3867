#include "eval/bradley_terry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/logistic.h"

#define RIDGE 1e-6
#define ITERATIONS 200
#define LARGEST_STEP 2.0
#define PRECISION 1e-10
#define ELO (400 / M_LN10)
#define ANCHOR 1000

/* Solves m x = b for a positive definite m of n rows (Cholesky); x replaces b, and m is lost. */
static void solve(double *m, double *b, int n)
{
	for (int j = 0; j < n; j++) {
		for (int i = j; i < n; i++) {
			double sum = m[i * n + j];

			for (int k = 0; k < j; k++)
				sum -= m[i * n + k] * m[j * n + k];
			m[i * n + j] = i == j ? sqrt(sum) : sum / m[j * n + j];
		}
	}
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < i; k++)
			b[i] -= m[i * n + k] * b[k];
		b[i] /= m[i * n + i];
	}
	for (int i = n - 1; i >= 0; i--) {
		for (int k = i + 1; k < n; k++)
			b[i] -= m[k * n + i] * b[k];
		b[i] /= m[i * n + i];
	}
}

/* Second derivatives into m, what leads down into step. */
static void derive(const double *wins, int n, const double *strength, double *m, double *step)
{
	double battles, p, slope;

	memset(m, 0, (size_t)n * (size_t)n * sizeof *m);
	for (int i = 0; i < n; i++) {
		step[i] = -RIDGE * strength[i];
		m[i * n + i] = RIDGE;
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j < i; j++) {
			battles = wins[i * n + j] + wins[j * n + i];
			p = logistic_sigmoid(strength[i] - strength[j]);
			step[i] += wins[i * n + j] - battles * p;
			step[j] -= wins[i * n + j] - battles * p;
			slope = battles * p * (1 - p);
			m[i * n + i] += slope;
			m[j * n + j] += slope;
			m[i * n + j] -= slope;
		}
}

void bradley_terry_fit(const double *wins, int n, double *strength, double *work)
{
	double *step = work + (size_t)n * (size_t)n, largest = 1;

	for (int t = 0; t < ITERATIONS && largest > PRECISION; t++) {
		derive(wins, n, strength, work, step);
		solve(work, step, n);
		largest = 0;
		for (int i = 0; i < n; i++)
			largest = fmax(largest, fabs(step[i]));
		for (int i = 0; i < n; i++)
			strength[i] += step[i] * fmin(1, LARGEST_STEP / largest);
	}
}

/* Marks what start reaches by wins (or losses); how many. */
static int reach(const double *wins, int n, bool backwards, unsigned char *seen)
{
	int count = 1, before = 0;

	memset(seen, 0, (size_t)n);
	seen[0] = 1;
	while (count != before) {
		before = count;
		for (int i = 0; i < n; i++)
			for (int j = 0; seen[i] && j < n; j++)
				if (!seen[j] &&
					(backwards ? wins[j * n + i] : wins[i * n + j]) > 0) {
					seen[j] = 1;
					count++;
				}
	}
	return count;
}

bool bradley_terry_determined(const double *wins, int n, unsigned char *work)
{
	return n == 0 || (reach(wins, n, false, work) == n && reach(wins, n, true, work) == n);
}

/* ---- ratings of verdicts */

struct work {
	double *wins, *fitted, *strength, *scratch, *values, *ranks;
	double *times; /* by item: how often a resample draws it */
	unsigned char *seen;
};

/* Where resample b draws items; b < 0: each counts once. A verdict without an item is one of its own. */
static void tally(const struct verdicts *v, struct work *w, uint64_t seed, int64_t b)
{
	size_t n = (size_t)v->models.n;
	double *wins = w->wins, times;

	memset(wins, 0, n * n * sizeof *wins);
	for (int i = 0; i < v->items.n; i++)
		w->times[i] = b < 0 ? 1 : stats_bootstrap_times(seed, (uint64_t)i, (uint64_t)b);
	for (size_t i = 0; i < v->n; i++) {
		const struct verdict *one = &v->all[i];

		times = one->item >= 0 ? w->times[one->item]
			: b < 0	       ? 1
				: stats_bootstrap_times(seed, UINT64_C(1) << 32 | i, (uint64_t)b);
		wins[(size_t)one->model * n + (size_t)one->base] += times * one->value;
		wins[(size_t)one->base * n + (size_t)one->model] += times * (1 - one->value);
	}
}

static void to_elo(double *s, int n, int anchor)
{
	double origin = 0;

	for (int i = 0; i < n; i++)
		origin += anchor < 0 ? s[i] / n : 0;
	if (anchor >= 0)
		origin = s[anchor];
	for (int i = 0; i < n; i++)
		s[i] = ANCHOR + ELO * (s[i] - origin);
}

static int rank_of(const double *s, int n, int i)
{
	int rank = 1;

	for (int j = 0; j < n; j++)
		rank += s[j] > s[i];
	return rank;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int best_first(const void *a, const void *b)
{
	const struct rating *x = a, *y = b;

	return x->value != y->value ? (x->value < y->value) - (x->value > y->value)
				    : x->model - y->model;
}

static struct stats_interval quantiles(double *x, size_t n, double tail)
{
	qsort(x, n, sizeof *x, ascending);
	return (struct stats_interval){stats_quantile(x, n, tail), stats_quantile(x, n, 1 - tail)};
}

/* What a resample draws from, sorted verdicts' items and those without one: their effective number. */
static double effective_items(const struct verdicts *v)
{
	double squares = 0, battles;

	for (size_t i = 0, end; i < v->n; i = end) {
		end = verdicts_item_end(v, i);
		battles = (double)(end - i);
		squares += battles * battles;
	}
	return (double)v->n * (double)v->n / squares;
}

static int new_work(struct work *w, size_t n, size_t items, size_t resamples, struct err *err)
{
	w->times = mem_new(items, sizeof(double), err);
	w->wins = mem_new(n, n * sizeof(double), err);
	w->fitted = mem_new(n, sizeof(double), err);
	w->strength = mem_new(n, sizeof(double), err);
	w->scratch = mem_new(n, (n + 2) * sizeof(double), err);
	w->values = mem_new(n, resamples * sizeof(double), err);
	w->ranks = mem_new(n, resamples * sizeof(double), err);
	w->seen = mem_new(n, 1, err);
	return w->times && w->wins && w->fitted && w->strength && w->scratch && w->values &&
			       w->ranks && w->seen
		       ? 0
		       : -1;
}

static void resample(struct ratings *r, const struct verdicts *v, struct work *w, int anchor,
	size_t resamples, uint64_t seed, double tail)
{
	struct stats_interval ranks;
	size_t n = (size_t)r->n;

	for (size_t b = 0; b < resamples; b++) {
		tally(v, w, seed, (int64_t)b);
		memcpy(w->strength, w->fitted, n * sizeof(double));
		bradley_terry_fit(w->wins, r->n, w->strength, w->scratch);
		to_elo(w->strength, r->n, anchor);
		for (size_t i = 0; i < n; i++) {
			w->values[i * resamples + b] = w->strength[i];
			w->ranks[i * resamples + b] = rank_of(w->strength, r->n, (int)i);
		}
	}
	for (size_t i = 0; i < n; i++) {
		r->all[i].interval = quantiles(w->values + i * resamples, resamples, tail);
		if (!resamples)
			continue;
		ranks = quantiles(w->ranks + i * resamples, resamples, tail);
		r->all[i].rank_low = (int)floor(ranks.low);
		r->all[i].rank_high = (int)ceil(ranks.high);
	}
}

int ratings_init(struct ratings *r, const struct verdicts *v, int anchor, size_t resamples,
	uint64_t seed, double level, struct err *err)
{
	size_t n = (size_t)v->models.n;
	struct work w = {NULL};
	double items = effective_items(v);
	int rc = -1;

	*r = (struct ratings){.n = v->models.n};
	r->all = mem_new(n, sizeof *r->all, err);
	if (!r->all || new_work(&w, n, (size_t)v->items.n, resamples, err))
		goto out;
	tally(v, &w, seed, -1);
	r->determined = bradley_terry_determined(w.wins, r->n, w.seen);
	bradley_terry_fit(w.wins, r->n, w.fitted, w.scratch);
	memcpy(w.strength, w.fitted, n * sizeof(double));
	to_elo(w.strength, r->n, anchor);
	for (int i = 0; i < r->n; i++)
		r->all[i] = (struct rating){
			.model = i, .value = w.strength[i], .rank = rank_of(w.strength, r->n, i)};
	resample(r, v, &w, anchor, items > 1 ? resamples : 0, seed,
		stats_percentile_tail(level, items));
	qsort(r->all, n, sizeof *r->all, best_first);
	rc = 0;
out:
	free(w.times);
	free(w.wins);
	free(w.fitted);
	free(w.strength);
	free(w.scratch);
	free(w.values);
	free(w.ranks);
	free(w.seen);
	return rc;
}

void ratings_release(struct ratings *r)
{
	free(r->all);
	*r = (struct ratings){.n = 0};
}
