/*
 * Two policies on the same pairs: which of them is right where the other is not. Release what was made by
 * paired_init().
 */
#ifndef EVAL_PAIRED_H
#define EVAL_PAIRED_H

#include <stdbool.h>

#include "eval/stats.h"

struct paired {
	uint64_t both, first, second, neither; /* pairs won by them; a tie is no win */
	struct stats_mean accuracy;	       /* second - first, by pair, over records */
	struct stats_bootstrap margin;	       /* the same */
	struct stats_sample margins;
	double open_accuracy, open_margin, open_pairs; /* of the record that is being added */
};

int paired_init(struct paired *p, size_t resamples, uint64_t seed, struct err *err);
void paired_release(struct paired *p);

/* A pair, by both margins; and the end of a record. */
void paired_add(struct paired *p, double first, double second);
void paired_close_record(struct paired *p);

double paired_difference(
	const struct paired *p); /* of accuracies, second - first; NaN without pairs */

/*
 * Its interval, records being clusters: by Student's distribution, half a pair that only the first wins and half a
 * pair that only the second wins counted in, which keeps it apart from certainty where they hardly differ (after D. Bonett
 * and R. Price, "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
 * data", Journal of Educational and Behavioral Statistics 37, 2012). NaN without pairs.
 */
struct stats_interval paired_difference_interval(const struct paired *p, double level);

/*
 * McNemar's exact test (Q. McNemar, "Note on the sampling error of the difference between correlated
 * proportions", Psychometrika 12, 1947): how likely is it that pairs which only one of them wins are shared
 * as unevenly as b and c, if each were a toss-up? Two-sided; 1 for b = c = 0. Takes pairs for independent.
 */
double paired_mcnemar(uint64_t b, uint64_t c);

#endif
