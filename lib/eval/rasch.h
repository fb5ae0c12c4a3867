/*
 * How good models are and how hard items, from verdicts on all of them at once, with or without the length of
 * answers (G. Rasch, "Probabilistic models for some intelligence and attainment tests", 1960):
 *
 *	logit P(model wins) = strength(model) + difficulty(item) [+ slope * difference],   difficulty ~ N(0, 2)
 *
 * A difficulty is the base's: the higher, the more often models win. Difficulties have a mean of 0.
 */
#ifndef EVAL_RASCH_H
#define EVAL_RASCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct rasch_row {
	int model, item;
	double difference, value; /* of lengths, from -1 to 1; the model's share, from 0 to 1 */
};

struct rasch {
	const struct rasch_row *rows; /* borrowed */
	size_t n;
	int models, items;
	double *strength, *difficulty; /* by model, by item */
	double slope;		       /* that models share; 0 without lengths */
};

/* Fits rows, which must outlive r. Release in any case. */
int rasch_init(struct rasch *r, const struct rasch_row *rows, size_t n, int models, int items,
	bool with_length, struct err *err);
void rasch_release(struct rasch *r);

/*
 * Difficulties as all models but one tell them, the rest as it was fitted, into difficulty[items]: those that
 * can explain that model's verdicts without having been made from them.
 */
int rasch_without(const struct rasch *r, int model, double *difficulty, struct err *err);

#endif
