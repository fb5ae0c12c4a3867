/*
 * Ratings from battles: R. Bradley and M. Terry, "Rank analysis of incomplete block designs", Biometrika 39,
 * 1952. Model i beats j with probability sigmoid(s_i - s_j); a draw is half a win for each. Strengths are in
 * Elo's unit, 400 / ln 10 each, in which 100 points more win 64 % of battles.
 */
#ifndef EVAL_BRADLEY_TERRY_H
#define EVAL_BRADLEY_TERRY_H

#include "eval/verdicts.h"

/*
 * Strengths, in nats, with mean 0, of n models; wins[i * n + j]: how often i beat j, not negative. Starts
 * from what strength[n] holds. work: n * (n + 2) numbers. Where the data have no finite answer (a model
 * that never lost), what is far out stays finite by a ridge too weak to move any other.
 */
void bradley_terry_fit(const double *wins, int n, double *strength, double *work);

/*
 * Do the wins determine all strengths? They do where every model has beaten, or drawn with, every other one
 * through a chain of models (L. Ford, "Solution of a ranking problem from binary comparisons", 1957).
 * work: n bytes.
 */
bool bradley_terry_determined(const double *wins, int n, unsigned char *work);

struct rating {
	int model;
	double value;
	struct stats_interval interval;
	int rank, rank_low, rank_high; /* 1 is the best; the interval's ends */
};

struct ratings {
	struct rating *all; /* best first */
	int n;
	bool determined;
};

/*
 * Ratings of all models in sorted verdicts (verdicts_sort()), anchor's being 1000; anchor -1: their mean.
 * Expanded percentile intervals (stats_percentile_tail()) of a bootstrap over items, of ratings and ranks; none for
 * resamples = 0 or a single item. Release in any case.
 */
int ratings_init(struct ratings *r, const struct verdicts *v, int anchor, size_t resamples,
	uint64_t seed, double level, struct err *err);
void ratings_release(struct ratings *r);

#endif
