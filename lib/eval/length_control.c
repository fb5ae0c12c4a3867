#include "eval/length_control.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/logistic.h"

#define SPREAD 2.0		  /* variance of difficulties */
#define OPPONENTS 0.1		  /* weight of an imagined opponent's verdict */
#define PLAIN_OPPONENTS 0.25	  /* without difficulties */
#define SLOPE -1.6		  /* of one model alone */
#define PLAIN_SLOPE -0.8	  /* without difficulties */
#define ONE_SD 0.7615941559557649 /* tanh(1) */
#define RIDGE 1e-6
#define ITERATIONS 2000
#define PRECISION 1e-7

struct length_row {
	int model, item;
	double difference, value; /* of lengths: tanh of it, in its standard deviations */
};

static double length_difference(const struct verdict *one, int base)
{
	double d = one->base_length - one->model_length;

	return one->base == base ? d : -d;
}

/* The standard deviations of length differences, by model; uses[model]: how many there are. */
static void take_rows(struct length_control *l, struct stats_sample *by_model)
{
	const struct verdicts *v = l->verdicts;

	for (size_t i = 0; i < v->n; i++) {
		const struct verdict *one = &v->all[i];
		int model = one->base == l->base ? one->model : one->base;

		if ((one->base != l->base && one->model != l->base) || one->item < 0 ||
			one->base_length < 0 || one->model_length < 0)
			continue;
		l->rows[l->n++] = (struct length_row){model, one->item,
			length_difference(one, l->base), verdict_share(one, model)};
		stats_sample_add(&by_model[model], l->rows[l->n - 1].difference);
	}
	for (size_t i = 0; i < l->n; i++) {
		double sd = stats_sample_sd(&by_model[l->rows[i].model]);

		l->rows[i].difference = sd > 0 ? tanh(l->rows[i].difference / sd) : 0;
	}
	for (int m = 0; m < v->models.n; m++)
		l->models += by_model[m].n > 0;
}

/* ---- all models at once */

struct joint {
	double *strength, *difficulty; /* by model, by item */
	double slope;
	double *down, *curve; /* of either: first and second derivatives */
	bool with_length;
};

enum joint_part { STRENGTHS, DIFFICULTIES, THE_SLOPE };

/* One step of Newton's method for one part, the others fixed; the largest change. */
static double improve(const struct length_control *l, struct joint *j, enum joint_part part)
{
	int n = part == STRENGTHS      ? l->verdicts->models.n
		: part == DIFFICULTIES ? l->verdicts->items.n
				       : 1;
	double *of = part == STRENGTHS	    ? j->strength
		     : part == DIFFICULTIES ? j->difficulty
					    : &j->slope;
	double prior = part == DIFFICULTIES ? 1 / SPREAD : RIDGE, largest = 0, p, x, step;

	for (int i = 0; i < n; i++) {
		j->down[i] = -prior * of[i];
		j->curve[i] = prior;
	}
	for (size_t r = 0; r < l->n; r++) {
		const struct length_row *row = &l->rows[r];
		int i = part == STRENGTHS ? row->model : part == DIFFICULTIES ? row->item : 0;

		p = logistic_sigmoid(j->slope * row->difference + j->strength[row->model] +
				     j->difficulty[row->item]);
		x = part == THE_SLOPE ? row->difference : 1;
		j->down[i] += x * (row->value - p);
		/* A quarter where the step would overshoot: the curve's largest value, which never does. */
		j->curve[i] += x * x * (fabs(row->value - p) > 0.5 ? 0.25 : p * (1 - p));
	}
	for (int i = 0; i < n; i++) {
		step = fmax(-1, fmin(1, j->down[i] / j->curve[i]));
		of[i] += step;
		largest = fmax(largest, fabs(step));
	}
	return largest;
}

/* The difficulties' mean moves to the strengths, where the prior does not feel it. */
static void centre(const struct length_control *l, struct joint *j)
{
	double mean = 0;

	for (int i = 0; i < l->verdicts->items.n; i++)
		mean += j->difficulty[i] / l->verdicts->items.n;
	for (int i = 0; i < l->verdicts->items.n; i++)
		j->difficulty[i] -= mean;
	for (int m = 0; m < l->verdicts->models.n; m++)
		j->strength[m] += mean;
}

static void fit_joint(const struct length_control *l, struct joint *j)
{
	double change = 1;

	for (int t = 0; t < ITERATIONS && change > PRECISION; t++) {
		change = improve(l, j, STRENGTHS);
		if (j->with_length)
			change = fmax(change, improve(l, j, THE_SLOPE));
		change = fmax(change, improve(l, j, DIFFICULTIES));
		centre(l, j);
	}
}

/* Difficulties of a fit without lengths, unless given; the slope of one with both, of several models. */
static int estimate(struct length_control *l, const double *given, struct err *err)
{
	size_t items = (size_t)l->verdicts->items.n, models = (size_t)l->verdicts->models.n;
	size_t parts = items > models ? items : models;
	struct joint j = {.strength = NULL};
	int rc = -1;

	j.strength = mem_new(models, sizeof *j.strength, err);
	j.difficulty = mem_new(items, sizeof *j.difficulty, err);
	j.down = mem_new(parts + 1, sizeof *j.down, err);
	j.curve = mem_new(parts + 1, sizeof *j.curve, err);
	l->difficulty = mem_new(items, sizeof *l->difficulty, err);
	if (!j.strength || !j.difficulty || !j.down || !j.curve || !l->difficulty)
		goto out;
	if (!given)
		fit_joint(l, &j);
	memcpy(l->difficulty, given ? given : j.difficulty, items * sizeof *j.difficulty);
	if (l->models > 1) {
		memset(j.strength, 0, models * sizeof *j.strength);
		memset(j.difficulty, 0, items * sizeof *j.difficulty);
		j.with_length = true;
		fit_joint(l, &j);
		l->slope = j.slope;
	}
	rc = 0;
out:
	free(j.strength);
	free(j.difficulty);
	free(j.down);
	free(j.curve);
	return rc;
}

int length_control_init(struct length_control *l, const struct verdicts *v, int base,
	const double *difficulty, struct err *err)
{
	struct stats_sample *by_model = mem_new((size_t)v->models.n, sizeof *by_model, err);
	int rc = -1;

	*l = (struct length_control){
		.verdicts = v, .base = base, .slope = difficulty ? SLOPE : PLAIN_SLOPE};
	l->rows = mem_new(v->n, sizeof *l->rows, err);
	if (by_model && l->rows) {
		take_rows(l, by_model);
		rc = l->models > 1 || difficulty ? estimate(l, difficulty, err) : 0;
	}
	free(by_model);
	return rc;
}

void length_control_release(struct length_control *l)
{
	free(l->rows);
	free(l->difficulty);
	*l = (struct length_control){.n = 0};
}

/* ---- one model */

/* Its verdicts, then its imagined opponents'. Returns how many verdicts there are; *n: rows of all. */
static size_t design(
	const struct length_control *l, int model, struct logistic_row *rows, size_t *n)
{
	double weight = l->difficulty ? OPPONENTS : PLAIN_OPPONENTS, difficulty;
	size_t own = 0;

	*n = 0;
	for (size_t i = 0; i < l->n; i++) {
		const struct length_row *r = &l->rows[i];

		if (r->model != model)
			continue;
		difficulty = l->difficulty ? l->difficulty[r->item] : 0;
		rows[own++] = (struct logistic_row){{r->difference, 1, difficulty}, r->value, 1};
	}
	*n = own;
	for (int side = -1; side <= 1; side += 2)
		for (size_t i = 0; i < own; i++)
			rows[(*n)++] = (struct logistic_row){{side * ONE_SD, 0, rows[i].x[2]},
				logistic_sigmoid(side * ONE_SD * l->slope), weight};
	return own;
}

/* The mean prediction without length difference, how it varies, and what the fit's uncertainty adds. */
static void predict(const struct logistic_row *rows, size_t n, int k, const double *w,
	double (*covariance)[LOGISTIC_MAX], double level, struct length_rate *out)
{
	double gradient[LOGISTIC_MAX] = {0}, variance, p, reach;
	struct stats_sample all = {.n = 0};

	for (size_t i = 0; i < n; i++) {
		p = logistic_sigmoid(w[1] + (k > 2 ? w[2] * rows[i].x[2] : 0));
		stats_sample_add(&all, p);
		gradient[1] += p * (1 - p) / (double)n;
		gradient[2] += p * (1 - p) * rows[i].x[2] / (double)n;
	}
	variance = n > 1 ? all.m2 / (double)(n - 1) / (double)n : 0;
	out->percent = 100 * all.mean;
	out->standard_error = 100 * sqrt(variance);
	for (int i = 1; i < k; i++)
		for (int j = 1; j < k; j++)
			variance += gradient[i] * covariance[i][j] * gradient[j];
	reach = 100 * stats_normal_z(level) * sqrt(variance);
	out->interval = (struct stats_interval){
		fmax(0, out->percent - reach), fmin(100, out->percent + reach)};
}

int length_control_rate(const struct length_control *l, int model, double level,
	struct length_rate *out, struct err *err)
{
	struct logistic_row *rows = mem_new(l->n, 3 * sizeof *rows, err);
	double w[LOGISTIC_MAX] = {0}, covariance[LOGISTIC_MAX][LOGISTIC_MAX];
	size_t own, n;
	const int k = l->difficulty ? 3 : 2;

	*out = (struct length_rate){NAN, NAN, {NAN, NAN}, NAN, NAN, NAN};
	if (!rows)
		return -1;
	own = design(l, model, rows, &n);
	if (own) {
		logistic_fit(rows, n, k, RIDGE, w, covariance);
		predict(rows, own, k, w, covariance, level, out);
		out->length = w[0];
		out->intercept = w[1];
		out->difficulty = k > 2 ? w[2] : NAN;
	}
	free(rows);
	return 0;
}
