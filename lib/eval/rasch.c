#include "eval/rasch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/logistic.h"

#define SPREAD 2.0 /* variance of difficulties */
#define RIDGE 1e-6
#define ITERATIONS 2000
#define PRECISION 1e-7

enum part { STRENGTHS, DIFFICULTIES, THE_SLOPE };

/* Of one part of a fit: its numbers, the first and second derivatives by them. */
struct step {
	int n;
	double *of, *down, *curve;
};

static int part_of(const struct rasch_row *row, enum part part)
{
	return part == STRENGTHS ? row->model : part == DIFFICULTIES ? row->item : 0;
}

static struct step step_of(struct rasch *r, enum part part, double *work)
{
	int n = part == STRENGTHS ? r->models : part == DIFFICULTIES ? r->items : 1;

	return (struct step){n,
		part == STRENGTHS      ? r->strength
		: part == DIFFICULTIES ? r->difficulty
				       : &r->slope,
		work, work + n};
}

/* One step of Newton's method for one part, the others fixed, by all rows but a model's; the largest change. */
static double improve(struct rasch *r, enum part part, int without, double *work)
{
	struct step s = step_of(r, part, work);
	double prior = part == DIFFICULTIES ? 1 / SPREAD : RIDGE, largest = 0, p, x, by;

	for (int i = 0; i < s.n; i++) {
		s.down[i] = -prior * s.of[i];
		s.curve[i] = prior;
	}
	for (size_t k = 0; k < r->n; k++) {
		const struct rasch_row *row = &r->rows[k];
		int i = part_of(row, part);

		if (row->model == without)
			continue;
		p = logistic_sigmoid(r->slope * row->difference + r->strength[row->model] +
				     r->difficulty[row->item]);
		x = part == THE_SLOPE ? row->difference : 1;
		s.down[i] += x * (row->value - p);
		/* A quarter where the step would overshoot: the curve's largest value, which never does. */
		s.curve[i] += x * x * (fabs(row->value - p) > 0.5 ? 0.25 : p * (1 - p));
	}
	for (int i = 0; i < s.n; i++) {
		by = fmax(-1, fmin(1, s.down[i] / s.curve[i]));
		s.of[i] += by;
		largest = fmax(largest, fabs(by));
	}
	return largest;
}

/* The difficulties' mean moves to the strengths, where the prior does not feel it. */
static void centre(struct rasch *r)
{
	double mean = 0;

	for (int i = 0; i < r->items; i++)
		mean += r->difficulty[i] / r->items;
	for (int i = 0; i < r->items; i++)
		r->difficulty[i] -= mean;
	for (int m = 0; m < r->models; m++)
		r->strength[m] += mean;
}

static double *new_work(const struct rasch *r, struct err *err)
{
	return mem_new(
		(size_t)(r->items > r->models ? r->items : r->models) + 1, 2 * sizeof(double), err);
}

int rasch_init(struct rasch *r, const struct rasch_row *rows, size_t n, int models, int items,
	bool with_length, struct err *err)
{
	double change = 1, *work;

	*r = (struct rasch){.rows = rows, .n = n, .models = models, .items = items};
	r->strength = mem_new((size_t)models, sizeof *r->strength, err);
	r->difficulty = mem_new((size_t)items, sizeof *r->difficulty, err);
	work = new_work(r, err);
	if (!r->strength || !r->difficulty || !work) {
		free(work);
		return -1;
	}
	for (int t = 0; t < ITERATIONS && change > PRECISION; t++) {
		change = improve(r, STRENGTHS, -1, work);
		if (with_length)
			change = fmax(change, improve(r, THE_SLOPE, -1, work));
		change = fmax(change, improve(r, DIFFICULTIES, -1, work));
		centre(r);
	}
	free(work);
	return 0;
}

void rasch_release(struct rasch *r)
{
	free(r->strength);
	free(r->difficulty);
	*r = (struct rasch){.n = 0};
}

int rasch_without(const struct rasch *r, int model, double *difficulty, struct err *err)
{
	struct rasch rest = *r;
	double *work = new_work(r, err);

	if (!work)
		return -1;
	rest.difficulty = difficulty;
	memcpy(difficulty, r->difficulty, (size_t)r->items * sizeof *difficulty);
	for (int t = 0; t < ITERATIONS; t++)
		if (improve(&rest, DIFFICULTIES, model, work) <= PRECISION)
			break;
	free(work);
	return 0;
}
