/* lib/eval: statistics against published and independently computed values; rewards. Intervals by simulation
 * are in test_coverage.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/reward.h"
#include "eval/stats.h"

#define NEAR(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))
#define COUNT(a) (sizeof(a) / sizeof *(a))

static void normal_quantiles(void **state)
{
	/* Python's statistics.NormalDist().inv_cdf((1 + level) / 2) */
	const double known[][2] = {{0.5, 0.6744897501960817}, {0.9, 1.6448536269514715},
		{0.95, 1.9599639845400536}, {0.99, 2.5758293035489}, {0.9999, 3.89059188641312}};

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++)
		NEAR(stats_normal_z(known[i][0]), known[i][1], 1e-11);
}

static void student_quantiles(void **state)
{
	/* Tables; the last two by R's qt(). */
	const double known[][3] = {{0.95, 1, 12.7062047}, {0.95, 2, 4.3026527},
		{0.95, 3, 3.1824463}, {0.95, 5, 2.5705818}, {0.95, 30, 2.0422725},
		{0.99, 99, 2.6264055}, {0.99, 100, 2.6258905}, {0.95, 1000, 1.9623391}};

	(void)state;
	for (size_t i = 0; i < COUNT(known); i++)
		NEAR(stats_student_t(known[i][0], known[i][1]), known[i][2], 1e-7);
	NEAR(stats_student_t(0.99, 999), stats_student_t(0.99, 1000), 1e-4);
	NEAR(stats_student_t(0.95, 1e12), stats_normal_z(0.95), 1e-9);
}

static void wilson_published(void **state)
{
	/*
	 * R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in
	 * Medicine 17, 1998, table I, method 3.
	 */
	const double newcombe[][4] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605},
		{0, 20, 0.0000, 0.1611}, {1, 29, 0.0061, 0.1718}};
	/* The roots of (p - x)^2 = z^2 x (1 - x) / n, solved for x in Python. */
	const double solved[][5] = {{612, 992, 0.95, 0.5862878579170482, 0.6466809524744588},
		{7, 10, 0.9, 0.44169979586983515, 0.8731234160968019},
		{2.5, 4, 0.95, 0.21942652006536287, 0.9081007708209878},
		{10, 10, 0.95, 0.7224672001371111, 1}, {0, 10, 0.99, 0, 0.39885409330490795}};
	struct stats_interval x;

	(void)state;
	for (size_t i = 0; i < COUNT(newcombe); i++) {
		x = stats_wilson(newcombe[i][0], newcombe[i][1], 0.95);
		NEAR(x.low, newcombe[i][2], 0.00005);
		NEAR(x.high, newcombe[i][3], 0.00005);
	}
	for (size_t i = 0; i < COUNT(solved); i++) {
		x = stats_wilson(solved[i][0], solved[i][1], solved[i][2]);
		NEAR(x.low, solved[i][3], 1e-11);
		NEAR(x.high, solved[i][4], 1e-11);
	}
	x = stats_wilson(0, 0, 0.95);
	assert_true(isnan(x.low) && isnan(x.high));
	x = stats_wilson(0, 1, 0.95);
	assert_true(x.low == 0 && x.high < 1);
	x = stats_wilson(1, 1, 0.95);
	assert_true(x.low > 0 && x.high == 1);
}

static void quantiles(void **state)
{
	const double x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

	(void)state;
	NEAR(stats_quantile(x, 10, 0.1), 1.1, 1e-12); /* R: quantile(1:10, 0.1, type = 6) */
	NEAR(stats_quantile(x, 10, 0.5), 5.5, 1e-12);
	assert_true(stats_quantile(x, 10, 0) == 1 && stats_quantile(x, 10, 1) == 10);
	assert_true(stats_quantile(x, 1, 0.7) == 1);
	assert_true(isnan(stats_quantile(x, 0, 0.5)));
}

static void samples(void **state)
{
	const double far[] = {1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16};
	struct stats_sample s = {0};

	(void)state;
	assert_true(isnan(stats_sample_mean(&s)) && stats_sample_sum(&s) == 0);
	for (size_t i = 0; i < COUNT(far); i++) {
		assert_true(isnan(stats_sample_sd(&s)) == (i < 2));
		stats_sample_add(&s, far[i]);
	}
	NEAR(stats_sample_mean(&s), 1e9 + 10, 1e-6);
	NEAR(stats_sample_sum(&s), 4e9 + 40, 1e-5);
	NEAR(stats_sample_sd(&s), 5.477225575051661, 1e-9);
}

static void rates(void **state)
{
	/* Wins and trials of rankings, and of items judged in both orders; intervals computed in Python. */
	const double rankings[][2] = {{3, 3}, {1, 3}, {0, 1}, {2, 3}, {1, 1}, {5, 6}, {2, 6}};
	const double orders[][2] = {
		{1, 2}, {1, 2}, {2, 2}, {0, 2}, {1, 2}, {1, 2}, {1.5, 2}, {1, 2}};
	struct stats_rate single = {0}, doubled = {0}, mixed = {0}, sure = {0}, even = {0},
			  alike = {0};
	struct stats_interval x, y;

	(void)state;
	assert_true(isnan(stats_rate_value(&single)) && isnan(stats_rate_effect(&single)));
	assert_true(isnan(stats_rate_wilson(&single, 0.95).low));
	stats_rate_add(&single, 0, 0); /* a record of ties only */
	assert_true(isnan(stats_rate_wilson(&single, 0.95).high));
	for (int i = 0; i < 30; i++) {
		stats_rate_add(&single, i % 3 == 0, 1);
		stats_rate_add(&doubled, 2 * (i % 3 == 0), 2);
		stats_rate_add(&sure, 5, 5);
		stats_rate_add(&alike, 2.1, 3);
	}
	assert_int_equal(single.clusters, 30);
	y = stats_wilson(10, 30, 0.95);
	x = stats_rate_wilson(&single, 0.95);
	NEAR(x.low, y.low, 1e-12);
	NEAR(x.high, y.high, 1e-12);
	NEAR(stats_rate_effect(&single), 1, 1e-12);
	/* Two of each tell no more than one. */
	NEAR(stats_rate_effect(&doubled), (30 * 2 * 30 / 29.0 + 0.5) / 30.5, 1e-12);
	/* Nothing varies: as many trials as clusters. */
	x = stats_rate_wilson(&sure, 0.95);
	NEAR(x.low, stats_wilson(30, 30, 0.95).low, 1e-12);
	assert_true(x.high == 1);
	x = stats_rate_wilson(&alike, 0.95);
	NEAR(x.low, stats_wilson(21, 30, 0.95).low, 1e-12);
	for (size_t i = 0; i < COUNT(rankings); i++)
		stats_rate_add(&mixed, rankings[i][0], rankings[i][1]);
	NEAR(stats_rate_value(&mixed), 14.0 / 23, 1e-15);
	x = stats_rate_wilson(&mixed, 0.95);
	NEAR(x.low, 0.28186462963495, 1e-11);
	NEAR(x.high, 0.860433684117069, 1e-11);
	for (size_t i = 0; i < COUNT(orders); i++)
		stats_rate_add(&even, orders[i][0], orders[i][1]);
	assert_true(stats_rate_effect(&even) < 1);
	x = stats_rate_wilson(&even, 0.9);
	NEAR(x.low, 0.348236781812413, 1e-11);
	NEAR(x.high, 0.706226088868748, 1e-11);
}

/* One cluster and two, of whatever comes: an interval that holds the rate, and not one of certainty. */
static void rate_edges(void **state)
{
	const double one[][2] = {{0, 1}, {1, 1}, {0.5, 1}, {1, 2}, {7, 10}};

	(void)state;
	for (size_t i = 0; i < COUNT(one); i++)
		for (int clusters = 1; clusters <= 2; clusters++) {
			struct stats_rate r = {0};
			struct stats_interval x;

			stats_rate_add(&r, one[i][0], one[i][1]);
			if (clusters == 2)
				stats_rate_add(&r, one[i][1] - one[i][0], one[i][1]);
			x = stats_rate_wilson(&r, 0.95);
			assert_true(x.low >= 0 && x.low < x.high - 0.3 && x.high <= 1);
			assert_true(
				x.low <= stats_rate_value(&r) && stats_rate_value(&r) <= x.high);
		}
}

static void means(void **state)
{
	/* W. S. Gosset's additional hours of sleep by the second drug, from "The probable error of a mean",
	 * Biometrika 6, 1908, and its interval by R's t.test(). */
	const double sleep[] = {1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4};
	const double clusters[][2] = {{3, 2}, {1, 3}, {-2, 1}, {8, 3}, {1, 1}};
	struct stats_mean m = {0}, far = {0}, c = {0};
	struct stats_sample sample = {0};
	struct stats_interval x, y;

	(void)state;
	assert_true(isnan(stats_mean_value(&m)) && isnan(stats_mean_interval(&m, 0.95).low));
	stats_mean_add(&m, 0, 0); /* nothing */
	for (size_t i = 0; i < COUNT(sleep); i++) {
		assert_true(isnan(stats_mean_interval(&m, 0.95).low) == (i < 2));
		assert_true(isnan(stats_mean_skewed_interval(&m, 0.95).high) == (i < 2));
		stats_mean_add(&m, sleep[i], 1);
		stats_mean_add(&far, 1e8 + sleep[i], 1);
		assert_true(isnan(stats_sample_interval(&sample, 0.95).low) == (i < 2));
		stats_sample_add(&sample, sleep[i]);
	}
	NEAR(stats_mean_value(&m), 2.33, 1e-12);
	x = stats_mean_interval(&m, 0.95);
	NEAR(x.low, 0.8976775, 1e-7);
	NEAR(x.high, 3.7623225, 1e-7);
	y = stats_sample_interval(&sample, 0.95);
	NEAR(y.low, x.low, 1e-12);
	NEAR(y.high, x.high, 1e-12);
	y = stats_mean_interval(&far, 0.95);
	NEAR(y.low - 1e8, x.low, 1e-6);
	NEAR(y.high - 1e8, x.high, 1e-6);
	/* Computed in Python, where the transformation is inverted by bisection. */
	x = stats_mean_skewed_interval(&m, 0.95);
	NEAR(x.low, 1.02329021265593, 1e-9);
	NEAR(x.high, 3.93495826910155, 1e-9);
	for (size_t i = 0; i < COUNT(clusters); i++)
		stats_mean_add(&c, clusters[i][0], clusters[i][1]);
	NEAR(stats_mean_value(&c), 1.1, 1e-12);
	x = stats_mean_interval(&c, 0.9);
	NEAR(x.low, -0.556178004726038, 1e-9);
	NEAR(x.high, 2.75617800472604, 1e-9);
	x = stats_mean_skewed_interval(&c, 0.9);
	NEAR(x.low, -0.142510205939968, 1e-9);
	NEAR(x.high, 7.92535735322352, 1e-9);
}

static void means_alike(void **state)
{
	struct stats_mean m = {0};

	(void)state;
	for (int i = 0; i < 7; i++)
		stats_mean_add(&m, 0.3 * (1 + i % 2), 1 + i % 2);
	for (int skewed = 0; skewed < 2; skewed++) {
		struct stats_interval x = skewed ? stats_mean_skewed_interval(&m, 0.95)
						 : stats_mean_interval(&m, 0.95);

		NEAR(x.low, 0.3, 1e-7);
		NEAR(x.high, 0.3, 1e-7);
	}
}

static struct stats_interval bootstrap(
	const double *x, size_t n, int weights, size_t resamples, uint64_t seed, double level)
{
	struct stats_bootstrap b;
	struct stats_interval i;
	struct err err = ERR_INIT;

	assert_int_equal(stats_bootstrap_init(&b, resamples, seed, &err), 0);
	for (size_t k = 0; k < n; k++)
		stats_bootstrap_add(&b, x[k], 1 + (double)k * (weights > 1));
	i = stats_bootstrap_interval(&b, level);
	stats_bootstrap_release(&b);
	return i;
}

static void bootstrap_known(void **state)
{
	struct stats_bootstrap b;
	struct err err = ERR_INIT;
	struct stats_interval x;

	(void)state;
	/* From a Python program that has Philox and Poisson(1) by inversion of its own. */
	assert_int_equal(stats_bootstrap_init(&b, 101, 42, &err), 0);
	for (int i = 0; i < 20; i++)
		stats_bootstrap_add(&b, i * i % 17 - 8, 1);
	x = stats_bootstrap_interval(&b, 0.95);
	NEAR(x.low, -3.86825357036761, 1e-12);
	NEAR(x.high, 2.48917936089395, 1e-12);
	stats_bootstrap_release(&b);
	assert_int_equal(stats_bootstrap_init(&b, 101, ((uint64_t)1 << 40) + 7, &err), 0);
	for (int i = 0; i < 20; i++)
		stats_bootstrap_add(&b, i * i % 17 - 8, 1 + i % 3);
	x = stats_bootstrap_interval(&b, 0.9);
	NEAR(x.low, -2.0802320056617, 1e-12);
	NEAR(x.high, 0.704517453648879, 1e-12);
	stats_bootstrap_release(&b);
}

static void bootstrap_edges(void **state)
{
	const double x[] = {3, 3, 3, 3, 3}, y[] = {1, 2, 4, 8, 16};
	struct stats_interval p, q;

	(void)state;
	p = bootstrap(x, 0, 1, 100, 0, 0.95);
	assert_true(isnan(p.low) && isnan(p.high));
	p = bootstrap(x, 5, 1, 0, 0, 0.95);
	assert_true(isnan(p.low) && isnan(p.high));
	p = bootstrap(x, 1, 1, 100, 0, 0.95);
	assert_true(isnan(p.low) && isnan(p.high));
	p = bootstrap(x, 5, 1, 100, 0, 0.95);
	assert_true(p.low == 3 && p.high == 3);
	p = bootstrap(y, 5, 2, 99, 5, 0.5);
	q = bootstrap(y, 5, 2, 99, 5, 0.5);
	assert_memory_equal(&p, &q, sizeof p);
	q = bootstrap(y, 5, 2, 99, 6, 0.5);
	assert_true(p.low != q.low || p.high != q.high);
}

/* One row of weight 1: the weights are the draws themselves. */
static void bootstrap_draws(void **state)
{
	enum { N = 200000 };
	struct stats_bootstrap b;
	struct stats_sample s = {0};
	struct err err = ERR_INIT;
	double zeros = 0;

	(void)state;
	assert_int_equal(stats_bootstrap_init(&b, N, 1, &err), 0);
	stats_bootstrap_add(&b, 1, 1);
	for (int i = 0; i < N; i++) {
		stats_sample_add(&s, b.weights[i]);
		zeros += b.weights[i] == 0;
	}
	stats_bootstrap_release(&b);
	/* within four standard errors */
	NEAR(stats_sample_mean(&s), 1, 4 / sqrt(N));
	NEAR(stats_sample_sd(&s) * stats_sample_sd(&s), 1, 4 * sqrt(3.0 / N));
	NEAR(zeros / N, exp(-1), 4 * sqrt(exp(-1) * (1 - exp(-1)) / N));
}

static void draw_normals(double *x, size_t n, uint64_t seed)
{
	double pair[2];

	for (size_t i = 0; i < n; i++) {
		rng_normal(seed, 1, i, pair);
		x[i] = 10 + 3 * pair[0];
	}
}

static void bootstrap_agrees_with_normal(void **state)
{
	static double x[5000];
	struct stats_sample s = {0};
	struct stats_interval b;
	double half;

	(void)state;
	draw_normals(x, COUNT(x), 7);
	for (size_t i = 0; i < COUNT(x); i++)
		stats_sample_add(&s, x[i]);
	half = stats_normal_z(0.95) * stats_sample_sd(&s) / sqrt(COUNT(x));
	b = bootstrap(x, COUNT(x), 1, 4000, 3, 0.95);
	NEAR(b.low, s.mean - half, 0.1 * half);
	NEAR(b.high, s.mean + half, 0.1 * half);
}

/* ---- rewards */

#define PAIR(pw, qw, nw, pl, ql, nl)                                                               \
	{                                                                                          \
		{pw, qw, nw},                                                                      \
		{                                                                                  \
			pl, ql, nl                                                                 \
		}                                                                                  \
	}

static void start(struct reward *r, bool reference)
{
	struct reward_options o = {.reference = reference, .beta = 0.1, .resamples = 200};
	struct err err = ERR_INIT;

	assert_int_equal(reward_init(r, &o, &err), 0);
}

static void reward_of_pairs(void **state)
{
	/* three pairs whose mean loss, 0.681833486, an independent implementation gave */
	const struct reward_completion c[][2] = {PAIR(-10.5, -11, 12, -14.25, -12.5, 9),
		PAIR(-20, -19, 5, -18, -19.5, 10), PAIR(-7.25, -8, 3, -9, -8.5, 1)};
	struct reward r;

	(void)state;
	start(&r, true);
	reward_add_ranking(&r, c[0], 2);
	NEAR(stats_sample_mean(&r.loss), 0.586962002, 1e-9);
	NEAR(stats_sample_mean(&r.margin), 0.225, 1e-12);
	reward_add_ranking(&r, c[1], 2);
	reward_add_ranking(&r, c[2], 2);
	NEAR(stats_sample_mean(&r.loss), 0.681833486, 1e-9);
	assert_int_equal(r.records, 3);
	assert_int_equal(r.pairs, 3);
	assert_int_equal(r.sequence.wins, 2);
	assert_int_equal(r.sequence.losses, 1);
	NEAR(stats_rate_value(&r.sequence.decided), 2 / 3.0, 1e-15);
	/* log-ratios: chosen .5 -1 .75, rejected -1.75 1.5 -.5 */
	NEAR(stats_sample_mean(&r.chosen.ratio), 0.25 / 3, 1e-12);
	NEAR(stats_sample_mean(&r.rejected.ratio), -0.75 / 3, 1e-12);
	NEAR(stats_sample_mean(&r.chosen.score), 0.025 / 3, 1e-12);
	NEAR(reward_per_token(&r.chosen, &r.chosen.ratio), 0.25 / 20, 1e-12);
	NEAR(reward_per_token(&r.rejected, &r.rejected.policy), -41.25 / 20, 1e-12);
	assert_int_equal(r.chosen.fell, 1);
	assert_int_equal(r.rejected.fell, 2);
	assert_int_equal(reward_doubts(&r, 0.95), REWARD_FEW_PAIRS | REWARD_UNDECIDED);
	reward_release(&r);
}

static void reward_ties_apart(void **state)
{
	const struct reward_completion tie[2] = PAIR(-3, -2, 2, -5, -4, 5);
	const struct reward_completion win[2] = PAIR(-1, -2, 2, -5, -4, 5);
	struct reward r;

	(void)state;
	start(&r, true);
	reward_add_ranking(&r, tie, 2);
	assert_true(isnan(stats_rate_value(&r.sequence.decided)));
	assert_true(reward_doubts(&r, 0.95) & REWARD_ALL_TIES);
	for (int i = 0; i < 9; i++)
		reward_add_ranking(&r, win, 2);
	assert_int_equal(r.sequence.ties, 1);
	assert_true(stats_rate_value(&r.sequence.decided) == 1);
	NEAR(stats_rate_value(&r.sequence.half), 0.95, 1e-15);
	assert_int_equal(r.token.losses, 1); /* -1/2 against -1/5 */
	assert_int_equal(reward_doubts(&r, 0.95), REWARD_FEW_PAIRS);
	reward_release(&r);
}

static void reward_without_reference(void **state)
{
	const struct reward_completion c[2] = PAIR(-10, 0, 10, -8, 0, 4);
	struct reward r;

	(void)state;
	start(&r, false);
	for (int i = 0; i < 30; i++)
		reward_add_ranking(&r, c, 2);
	assert_int_equal(r.sequence.losses, 30); /* -10 against -8 */
	assert_int_equal(r.token.wins, 30);	 /* -1 against -2 */
	NEAR(stats_sample_mean(&r.margin), -2, 1e-12);
	NEAR(reward_per_token(&r.rejected, &r.rejected.score), -2, 1e-12);
	assert_true(isnan(stats_sample_mean(&r.loss)));
	assert_int_equal(reward_doubts(&r, 0.95), 0);
	reward_release(&r);
}

static void reward_of_rankings(void **state)
{
	/* log-ratios 3, 1, 2: two pairs in order, one not */
	const struct reward_completion c[3] = {{-1, -4, 1}, {-2, -3, 2}, {-3, -5, 4}};
	struct reward r;

	(void)state;
	start(&r, true);
	for (int i = 0; i < 40; i++)
		reward_add_ranking(&r, c, 3);
	assert_int_equal(r.records, 40);
	assert_int_equal(r.pairs, 120);
	assert_int_equal(r.sequence.wins, 80);
	assert_int_equal(r.sequence.losses, 40);
	NEAR(stats_sample_mean(&r.margin), 0.1 * (2 + 1 - 1) / 3, 1e-12);
	NEAR(stats_sample_mean(&r.chosen.ratio), (3 + 3 + 1) / 3.0, 1e-12);
	NEAR(stats_sample_mean(&r.rejected.ratio), (1 + 2 + 2) / 3.0, 1e-12);
	assert_int_equal(r.chosen.tokens, 40 * (1 + 1 + 2));
	assert_int_equal(r.rejected.tokens, 40 * (2 + 4 + 4));
	assert_int_equal(r.bootstrap.rows, 40);
	assert_int_equal(r.sequence.decided.clusters, 40);
	reward_release(&r);
}

static void reward_of_labels(void **state)
{
	const struct reward_completion good = {-1, -2, 2}, bad = {-5, -4, 0};
	struct reward r;

	(void)state;
	start(&r, true);
	reward_add_labelled(&r, &good, true);
	reward_add_labelled(&r, &bad, false);
	assert_int_equal(r.labelled, 2);
	assert_int_equal(r.pairs, 0);
	assert_int_equal(r.empty, 1);
	NEAR(stats_sample_mean(&r.chosen.score), 0.1, 1e-12);
	NEAR(stats_sample_mean(&r.rejected.score), -0.1, 1e-12);
	assert_true(isnan(reward_per_token(&r.rejected, &r.rejected.score)));
	assert_true(isnan(stats_bootstrap_interval(&r.bootstrap, 0.95).low));
	assert_int_equal(reward_doubts(&r, 0.95), REWARD_NO_PAIRS | REWARD_EMPTY);
	reward_release(&r);
}

static void reward_of_singles(void **state)
{
	/* log-ratios 1, -0.5; and 2 and 0 of one record, which count as 1 */
	const struct reward_completion one = {-2, -3, 2}, two = {-4, -3.5, 3},
				       both[2] = {{-1, -3, 1}, {-5, -5, 4}};
	const double scores[2] = {4, -1};
	struct reward r;

	(void)state;
	start(&r, true);
	reward_add_single(&r, &one);
	reward_add_single(&r, &two);
	assert_int_equal(reward_doubts(&r, 0.95), 0);
	assert_int_equal(reward_paired(&r), 0);
	NEAR(stats_sample_mean(&r.single.ratio), 0.25, 1e-12);
	NEAR(stats_mean_value(&r.kl.k[REWARD_K1]), 0.25, 1e-12);
	NEAR(stats_mean_value(&r.kl.k[REWARD_K2]), (0.5 + 0.125) / 2, 1e-12);
	NEAR(stats_mean_value(&r.kl.k[REWARD_K3]), (exp(-1) + exp(0.5) - 2 + 0.5) / 2, 1e-12);
	NEAR(reward_per_token(&r.single, &r.single.policy), -6 / 5.0, 1e-12);
	assert_int_equal(r.single.fell, 1);
	reward_add_ranking(&r, both, 2);
	assert_int_equal(r.records, 3);
	assert_int_equal(reward_paired(&r), 1);
	assert_int_equal(reward_doubts(&r, 0.95) & REWARD_FEW_PAIRS, REWARD_FEW_PAIRS);
	NEAR(stats_mean_value(&r.kl.k[REWARD_K1]), 0.5, 1e-12);
	NEAR(stats_mean_value(&r.kl.k[REWARD_K2]), (0.5 + 0.125 + 1) / 3, 1e-12);
	reward_add_given(&r, scores, 2);
	reward_add_given(&r, scores, 1);
	NEAR(stats_sample_mean(&r.given), 2.75, 1e-12);
	reward_release(&r);

	start(&r, false);
	reward_add_single(&r, &one);
	assert_true(isnan(stats_mean_value(&r.kl.k[REWARD_K1])));
	NEAR(stats_sample_mean(&r.single.policy), -2, 1e-12);
	reward_release(&r);
}

static void reward_same_columns(void **state)
{
	const struct reward_completion same[2] = PAIR(-300.001, -300, 9, -200, -200.001, 9);
	const struct reward_completion other[2] = PAIR(-300.01, -300, 9, -200, -200.001, 9);
	struct reward r;

	(void)state;
	start(&r, true);
	assert_int_equal(reward_doubts(&r, 0.95), REWARD_NO_PAIRS);
	for (int i = 0; i < 30; i++)
		reward_add_ranking(&r, same, 2);
	assert_int_equal(reward_doubts(&r, 0.95), REWARD_SAME_COLUMNS);
	reward_add_ranking(&r, other, 2);
	assert_int_equal(reward_doubts(&r, 0.95), 0);
	reward_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_quantiles),
		cmocka_unit_test(student_quantiles),
		cmocka_unit_test(wilson_published),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(samples),
		cmocka_unit_test(rates),
		cmocka_unit_test(rate_edges),
		cmocka_unit_test(means),
		cmocka_unit_test(means_alike),
		cmocka_unit_test(bootstrap_known),
		cmocka_unit_test(bootstrap_edges),
		cmocka_unit_test(bootstrap_draws),
		cmocka_unit_test(bootstrap_agrees_with_normal),
		cmocka_unit_test(reward_of_pairs),
		cmocka_unit_test(reward_ties_apart),
		cmocka_unit_test(reward_without_reference),
		cmocka_unit_test(reward_of_rankings),
		cmocka_unit_test(reward_of_labels),
		cmocka_unit_test(reward_of_singles),
		cmocka_unit_test(reward_same_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
