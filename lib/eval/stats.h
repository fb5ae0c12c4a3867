/*
 * Statistics of samples that arrive one by one, in constant memory: means, rates and their
 * confidence intervals. All numbers in must be finite. What is not defined (the mean of nothing,
 * the deviation of one number) comes out as NaN; nothing here fails but for memory.
 */
#ifndef EVAL_STATS_H
#define EVAL_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct stats_interval {
	double low, high; /* both NaN where there is none */
};

/* z with P(-z <= Z <= z) = level for a standard normal Z: 1.959964 for 0.95. 0 < level < 1. */
double stats_normal_z(double level);

/* The same of Student's t; of dof >= 1 degrees of freedom only whole ones count: 2.570582 for 0.95 and 5. */
double stats_student_t(double level, double dof);

/*
 * Wilson's score interval for a binomial proportion (E. B. Wilson, "Probable inference, the law of
 * succession, and statistical inference", JASA 22, 1927, 209-212), without continuity correction:
 *
 *	(p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n),  p = hits/trials, n = trials
 *
 * 0 <= hits <= trials; neither need be whole. Of trials that are independent and come out 0 or 1: for any others,
 * see stats_rate_wilson(). NaN for trials = 0.
 */
struct stats_interval stats_wilson(double hits, double trials, double level);

/*
 * The q-quantile (0 <= q <= 1) of n ascending numbers: the k-th is that of k / (n + 1), with lines between, and the
 * ends beyond them (type 6 of Hyndman and Fan, 1996). So intervals by resampling are of their level however few
 * resamples there are; with type 7, the default of R and numpy, they fall short by 2 / n. NaN for n = 0.
 */
double stats_quantile(const double *sorted, size_t n, double q);

/* ---- mean and standard deviation, by Welford's recurrence. Zeroed: empty. */

struct stats_sample {
	uint64_t n;
	double mean,
		m2; /* m2: sum of squared distances from the mean; read by the functions below */
};

void stats_sample_add(struct stats_sample *s, double x);
double stats_sample_mean(const struct stats_sample *s); /* NaN for n = 0 */
double stats_sample_sum(const struct stats_sample *s);
double stats_sample_sd(const struct stats_sample *s); /* over n - 1; NaN for n < 2 */

/* Of the mean, by Student's distribution. NaN for n < 2. */
struct stats_interval stats_sample_interval(const struct stats_sample *s, double level);

/*
 * ---- a rate of trials that come in clusters. Zeroed: empty.
 *
 * The pairs of one ranking share their completions, and the verdicts on one item the item: n of them do not
 * tell what n independent trials would. A rate is added cluster by cluster, and its interval is Wilson's at
 * the effective number of trials, n divided by the design effect
 *
 *	sum over clusters of (hits - p trials)^2  /  (n p (1 - p))  *  m / (m - 1)
 *
 * where m = n^2 / (sum of trials^2), the effective number of clusters, has Student's distribution with m - 1
 * degrees of freedom take the normal one's place (L. Kish, "Survey Sampling", 1965; N. Dean and M. Pagano,
 * "Evaluating confidence interval methods for binomial proportions in clustered surveys", JSSAM 3, 2015).
 * The effect is above 1 where a cluster's trials come out alike, and below it where they make up for each
 * other, or where outcomes lie between 0 and 1. Half a cluster whose effect is 1 is counted in, so that a few
 * that happen to agree are not taken for certainty.
 *
 * The interval is plainly Wilson's where every cluster is one trial that comes out 0 or 1. Where all clusters
 * came out alike the effect cannot be estimated: the number of clusters then stands for n.
 */
struct stats_rate {
	uint64_t clusters; /* with at least one trial */
	double hits, trials;
	double hits2, both, trials2; /* sums over clusters of hits^2, hits*trials, trials^2 */
};

void stats_rate_add(struct stats_rate *r, double hits, double trials);
double stats_rate_value(const struct stats_rate *r);  /* NaN without trials */
double stats_rate_effect(const struct stats_rate *r); /* the design effect; NaN without trials */
struct stats_interval stats_rate_wilson(const struct stats_rate *r, double level);

/*
 * ---- a mean of numbers that come in clusters, such as those of one record. Zeroed: empty.
 *
 * A cluster is weight numbers that add up to sum; the mean is sum of sums / sum of weights, and clusters are
 * what varies. Weights need not be whole.
 */
struct stats_mean {
	uint64_t clusters; /* of weight above 0 */
	double origin; /* the first cluster's mean: sums below are of distances from it, which keeps digits */
	double sum, weight;
	double square[3]; /* sums over clusters of sum^2, sum*weight, weight^2 */
	double cube[4];	  /* of sum^3, sum^2*weight, sum*weight^2, weight^3 */
};

void stats_mean_add(struct stats_mean *m, double sum, double weight);
double stats_mean_value(const struct stats_mean *m); /* NaN without weight */

/* By Student's distribution. NaN for fewer than two clusters. */
struct stats_interval stats_mean_interval(const struct stats_mean *m, double level);

/*
 * The same for numbers that are skewed by their nature, as squares are: by P. Hall's transformation of
 * Student's t ("On the removal of skewness by transformation", JRSS B 54, 1992), which takes the skewness that
 * clusters show out of it. Where they have none it tells nothing more, and heavy tails make it too narrow.
 */
struct stats_interval stats_mean_skewed_interval(const struct stats_mean *m, double level);

/*
 * ---- bootstrap of a mean, without keeping the data.
 *
 * Each of the resamples counts each row a number of times drawn from Poisson(1), instead of drawing n rows with
 * replacement: the same distribution but that a resample's size varies, which for a mean vanishes as 1/n (J. Hanley
 * and B. MacGibbon, "Creating non-parametric bootstrap samples using Poisson frequencies", 2006; N. Chamandy et al.,
 * "Estimating uncertainty for massive data streams", Google, 2012). Memory: 24 bytes a resample, at any number of
 * rows. Time: some 8 ns a row and resample.
 *
 * A draw depends on (seed, row, resample) only: the same rows in the same order give the same bits, and two
 * statistics bootstrapped over the same rows with one seed are paired. Resample b of row i takes word b % 4 of
 * rng_bits(seed, b / 4, i).
 *
 *	struct stats_bootstrap b;
 *
 *	if (stats_bootstrap_init(&b, 1000, seed, err))
 *		return -1;
 *	stats_bootstrap_add(&b, x, 1);                  for each x
 *	interval = stats_bootstrap_interval(&b, 0.95);
 *	stats_bootstrap_release(&b);
 */
struct stats_bootstrap {
	uint64_t seed, rows;
	size_t resamples;
	double weight, weight2;		/* sums over rows of weight, weight^2 */
	double *sums, *weights, *means; /* [resamples] each */
};

/* resamples = 0 is fine: no interval. */
int stats_bootstrap_init(
	struct stats_bootstrap *b, size_t resamples, uint64_t seed, struct err *err);
void stats_bootstrap_release(struct stats_bootstrap *b);

/* How often that resample counts that row: what others that resample the same rows ask. */
unsigned stats_bootstrap_times(uint64_t seed, uint64_t row, uint64_t resample);

/* One row: a cluster of weight numbers that add up to sum. The statistic is sum of sums / sum of
 * weights. */
void stats_bootstrap_add(struct stats_bootstrap *b, double sum, double weight);

/*
 * How much of a resampled distribution to leave out at each end for a percentile interval of that level, from n
 * effective rows, more than one: less than (1 - level) / 2, for z is not Student's t, and resamples vary by n
 * where samples do by n - 1 (T. Hesterberg, "What teachers should know about the bootstrap", The American
 * Statistician 69, 2015: the expanded percentile interval).
 */
double stats_percentile_tail(double level, double n);

/*
 * The expanded percentile interval of the resamples' means, those that drew no row left out; rows are taken by
 * their effective number, as above. NaN for fewer than two rows.
 */
struct stats_interval stats_bootstrap_interval(struct stats_bootstrap *b, double level);

#endif
