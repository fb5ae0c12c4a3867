#include "eval/length_control.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/logistic.h"

#define OPPONENTS 0.1		  /* weight of an imagined opponent's verdict */
#define PLAIN_OPPONENTS 0.25	  /* without difficulties */
#define SLOPE -1.6		  /* of one model alone */
#define PLAIN_SLOPE -0.8	  /* without difficulties */
#define ONE_SD 0.7615941559557649 /* tanh(1) */
#define RIDGE 1e-6
#define PRIOR 0.5 /* the imagined opponents' verdicts behind an interval, all together */

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
		l->rows[l->n++] = (struct rasch_row){model, one->item,
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

/* Difficulties of a fit without lengths, unless given; of several models one with lengths, too. */
static int estimate(struct length_control *l, const double *given, struct err *err)
{
	const int items = l->verdicts->items.n, models = l->verdicts->models.n;
	struct rasch plain = {.n = 0};
	int rc = -1;

	l->difficulty = mem_new((size_t)items, sizeof *l->difficulty, err);
	if (!l->difficulty ||
		(!given && rasch_init(&plain, l->rows, l->n, models, items, false, err)))
		goto out;
	memcpy(l->difficulty, given ? given : plain.difficulty, (size_t)items * sizeof *given);
	if (l->models > 1) {
		if (rasch_init(&l->joint, l->rows, l->n, models, items, true, err))
			goto out;
		l->slope = l->joint.slope;
	}
	rc = 0;
out:
	rasch_release(&plain);
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
	rasch_release(&l->joint);
	*l = (struct length_control){.n = 0};
}

/* ---- one model */

/* How an item's verdicts move the rate. */
struct influence {
	double sum;
	bool counted;
};

/* Of a model: its verdicts, then its imagined opponents'; own: how many of them are verdicts, n: rows of all. */
struct design {
	struct logistic_row *rows;
	const struct rasch_row **from; /* [own] */
	double *difficulty;	       /* by item: as the interval takes them */
	struct influence *influence;   /* by item */
	size_t own, n;
	int k;
};

static void design_release(struct design *d)
{
	free(d->rows);
	free(d->from);
	free(d->difficulty);
	free(d->influence);
}

static int design_init(struct design *d, const struct length_control *l, struct err *err)
{
	const size_t items = (size_t)l->verdicts->items.n;

	*d = (struct design){.k = l->difficulty ? 3 : 2};
	d->rows = mem_new(l->n, 3 * sizeof *d->rows, err);
	d->from = mem_new(l->n, sizeof *d->from, err);
	d->difficulty = mem_new(items, sizeof *d->difficulty, err);
	d->influence = mem_new(items, sizeof *d->influence, err);
	return d->rows && d->from && d->difficulty && d->influence ? 0 : -1;
}

static void design_fill(struct design *d, const struct length_control *l, int model)
{
	const double weight = l->difficulty ? OPPONENTS : PLAIN_OPPONENTS;

	for (size_t i = 0; i < l->n; i++) {
		const struct rasch_row *r = &l->rows[i];

		if (r->model != model)
			continue;
		d->from[d->own] = r;
		d->rows[d->own++] = (struct logistic_row){
			{r->difference, 1, l->difficulty ? l->difficulty[r->item] : 0}, r->value,
			1};
	}
	d->n = d->own;
	for (int side = -1; side <= 1; side += 2)
		for (size_t i = 0; i < d->own; i++)
			d->rows[d->n++] = (struct logistic_row){{side * ONE_SD, 0, d->rows[i].x[2]},
				logistic_sigmoid(side * ONE_SD * l->slope), weight};
}

/*
 * Difficulties that the model's own verdicts have no part in, nor lengths: where they had, they would take to
 * themselves some of what length does, and the interval would miss.
 */
static int interval_difficulties(
	struct design *d, const struct length_control *l, int model, struct err *err)
{
	if (l->models > 1)
		return rasch_without(&l->joint, model, d->difficulty, err);
	if (l->difficulty)
		memcpy(d->difficulty, l->difficulty,
			(size_t)l->verdicts->items.n * sizeof *d->difficulty);
	return 0;
}

/* Other difficulties, and opponents who only keep the fit from the extremes. */
static void design_loosen(struct design *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->rows[i].x[2] = d->difficulty[d->from[i % d->own]->item];
	for (size_t i = d->own; i < d->n; i++)
		d->rows[i].weight = PRIOR / 2 / (double)d->own;
}

static double at_even_length(const struct logistic_row *row, int k, const double *w)
{
	struct logistic_row even = *row;

	even.x[0] = 0;
	return logistic_predict(&even, k, w);
}

static struct stats_sample predict(const struct design *d, const double *w)
{
	struct stats_sample all = {.n = 0};

	for (size_t i = 0; i < d->own; i++)
		stats_sample_add(&all, at_even_length(&d->rows[i], d->k, w));
	return all;
}

/* How much the rate moves with each row's first derivative. */
static void sensitivity(
	const struct design *d, const double *w, double (*bread)[LOGISTIC_MAX], double *out)
{
	double gradient[LOGISTIC_MAX] = {0}, p;

	for (size_t i = 0; i < d->own; i++) {
		p = at_even_length(&d->rows[i], d->k, w);
		for (int j = 1; j < d->k; j++)
			gradient[j] += p * (1 - p) * d->rows[i].x[j] / (double)d->own;
	}
	for (int i = 0; i < d->k; i++) {
		out[i] = 0;
		for (int j = 0; j < d->k; j++)
			out[i] += bread[i][j] * gradient[j];
	}
}

/* The variance of the rate, from the items' influence on it, as if there were many; *items: how many there are. */
static double variance(
	struct design *d, const double *w, double (*bread)[LOGISTIC_MAX], double rate, int *items)
{
	double by[LOGISTIC_MAX], squares = 0, residual;

	sensitivity(d, w, bread, by);
	for (size_t i = 0; i < d->own; i++) {
		const struct logistic_row *row = &d->rows[i];
		struct influence *of = &d->influence[d->from[i]->item];

		residual = row->y - logistic_predict(row, d->k, w);
		of->sum += (at_even_length(row, d->k, w) - rate) / (double)d->own;
		for (int j = 0; j < d->k; j++)
			of->sum += by[j] * residual * row->x[j];
	}
	*items = 0;
	for (size_t i = 0; i < d->own; i++) {
		struct influence *of = &d->influence[d->from[i]->item];

		squares += of->counted ? 0 : of->sum * of->sum;
		*items += !of->counted;
		of->counted = true;
	}
	return squares;
}

static bool all_same(const struct design *d)
{
	for (size_t i = 1; i < d->own; i++)
		if (d->rows[i].y != d->rows[0].y)
			return false;
	return true;
}

/* By Student's distribution of the log-odds of the rate. */
static struct stats_interval interval(struct design *d, double level)
{
	double w[LOGISTIC_MAX] = {0}, bread[LOGISTIC_MAX][LOGISTIC_MAX], rate, error, odds;
	struct stats_interval out = {NAN, NAN};
	int items;

	design_loosen(d);
	logistic_fit(d->rows, d->n, d->k, RIDGE, w, bread);
	rate = predict(d, w).mean;
	error = sqrt(variance(d, w, bread, rate, &items));
	if (all_same(d)) {
		out = stats_wilson(d->rows[0].y * items, items, level);
	} else if (items > d->k) {
		error *= sqrt((double)items / (items - d->k)) / (rate * (1 - rate));
		error *= stats_student_t(level, items - d->k);
		odds = log(rate / (1 - rate));
		out = (struct stats_interval){
			logistic_sigmoid(odds - error), logistic_sigmoid(odds + error)};
	}
	return (struct stats_interval){100 * out.low, 100 * out.high};
}

int length_control_rate(const struct length_control *l, int model, double level,
	struct length_rate *out, struct err *err)
{
	double w[LOGISTIC_MAX] = {0};
	struct stats_sample rates;
	struct design d;
	int rc = -1;

	*out = (struct length_rate){NAN, NAN, {NAN, NAN}, NAN, NAN, NAN};
	if (design_init(&d, l, err))
		goto out;
	design_fill(&d, l, model);
	if (d.own) {
		logistic_fit(d.rows, d.n, d.k, RIDGE, w, NULL);
		rates = predict(&d, w);
		out->percent = 100 * rates.mean;
		out->standard_error =
			d.own > 1 ? 100 * stats_sample_sd(&rates) / sqrt((double)d.own) : 0;
		out->length = w[0];
		out->intercept = w[1];
		out->difficulty = d.k > 2 ? w[2] : NAN;
		if (interval_difficulties(&d, l, model, err))
			goto out;
		out->interval = interval(&d, level);
	}
	rc = 0;
out:
	design_release(&d);
	return rc;
}
