/*
 * Win rates as they would be if answers were as long as the base's: Y. Dubois, B. Galambosi, P. Liang and
 * T. Hashimoto, "Length-Controlled AlpacaEval: a simple way to debias automatic evaluators", 2024. A model's
 * verdicts are explained by
 *
 *	logit P(model wins) = w1 tanh(dlen / sd(dlen)) + w2 difficulty(item) + w3
 *
 * with dlen = the base's length - the model's, and its rate is the mean of that P at dlen = 0.
 *
 * Difficulties are read from somewhere, or estimated from all models at once, two at least (eval/rasch.h).
 *
 * alpaca_eval keeps a model's fit from the extremes by two made-up opponents, its baseline told to be verbose
 * and to be concise, at a tenth of a verdict's weight each. Here two imagined opponents stand for them, as
 * good as the base on every item, and one standard deviation longer and shorter, whom the judge treats by
 * length as it treats all models: the slope that they share is estimated with them.
 *
 * One model without difficulties is fit by w1 and w3 alone. Its marginal slope is flatter, and it needs more
 * of the imagined opponents: both constants were set by alpaca_eval's published rates (length_control.c).
 *
 * The rate is alpaca_eval's, and pulled by the opponents: where the judge cares for length otherwise than they
 * say, it is off, by some points and at any number of items. Its interval is one of the rate itself, from a fit
 * where they weigh no more than half a verdict, to difficulties that only other models' verdicts tell; so it
 * need not have the rate in its middle, nor at all. It is by the influence of each item on that fit (F. Hampel,
 * "The influence curve and its role in robust estimation", JASA 69, 1974), verdicts on one item being taken
 * together, and Student's distribution of log-odds.
 */
#ifndef EVAL_LENGTH_CONTROL_H
#define EVAL_LENGTH_CONTROL_H

#include "eval/rasch.h"
#include "eval/verdicts.h"

struct length_control {
	const struct verdicts *verdicts;
	int base;
	struct rasch_row *rows; /* one a verdict against base whose lengths and item are known */
	size_t n;
	int models;	    /* that have rows */
	double *difficulty; /* by item; NULL: none */
	struct rasch joint; /* of several models, with lengths */
	double slope;	    /* that models share */
};

/*
 * Takes what can be used of verdicts, sorted or not, which must outlive l. difficulty: by item, or NULL to
 * estimate them; copied. Release in any case.
 */
int length_control_init(struct length_control *l, const struct verdicts *v, int base,
	const double *difficulty, struct err *err);
void length_control_release(struct length_control *l);

struct length_rate {
	double percent;
	double standard_error; /* as alpaca_eval has it: of the predictions over items alone, in percent */
	struct stats_interval
		interval; /* in percent; NaN for less than four items; Wilson's of equal verdicts */
	double length, difficulty, intercept; /* w1, w2, w3 */
};

/* percent is NaN for a model without rows. 0 or -1. */
int length_control_rate(const struct length_control *l, int model, double level,
	struct length_rate *out, struct err *err);

#endif
