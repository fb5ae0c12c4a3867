/* lib/eval: intervals by simulation. Those of 95 % hold the truth in 94 to 96 % of runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "eval/bradley_terry.h"
#include "eval/length_control.h"
#include "eval/logistic.h"
#include "eval/paired.h"
#include "eval/reward.h"
#include "eval/verdicts.h"
#include "tests/unit/support/simulate.h"

#define NEAR(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))
#define COUNT(a) (sizeof(a) / sizeof *(a))

/* In as many runs a share of 0.95 has a standard error of 0.003. Sanitizers look for other things, and take
 * their time. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { RUNS = 100 };
#else
enum { RUNS = 5000 };
#endif

static struct err err;

static void covers(const char *what, int hits, int runs)
{
	double share = (double)hits / runs;

	if (fabs(share - 0.95) > (runs < 1000 ? 0.07 : 0.01))
		fail_msg("%s: %.1f %% of intervals hold the truth", what, 100 * share);
}

/* ---- rates */

/* P(the interval covers p), over all outcomes of n trials. */
static double coverage(int n, double p)
{
	double covered = 0;

	for (int k = 0; k <= n; k++) {
		struct stats_interval x = stats_wilson(k, n, 0.95);

		if (x.low <= p && p <= x.high)
			covered += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) +
				       k * log(p) + (n - k) * log1p(-p));
	}
	return covered;
}

static void wilson_covers(void **state)
{
	const int sizes[] = {10, 30, 50, 100};

	(void)state;
	for (size_t s = 0; s < COUNT(sizes); s++) {
		double sum = 0, c;

		for (int i = 5; i <= 95; i++) {
			c = coverage(sizes[s], i / 100.0);
			assert_true(c > 0.91 && c < 0.99);
			sum += c / 91;
		}
		NEAR(sum, 0.95, 0.01);
	}
}

/* A cluster: what it adds to hits, and how many trials it has. u: places for its random numbers. */
struct rate_world {
	const char *what;
	uint64_t clusters;
	double truth;
	double (*draw)(uint64_t run, uint64_t u, double *trials);
};

static double with_draws(uint64_t run, uint64_t u, double *trials)
{
	double x = simulate_uniform(run, u);

	*trials = 1;
	return x < 0.45 ? 1 : x < 0.75 ? 0.5 : 0;
}

/* Judged twice, with the same result more often than not. */
static double twice_alike(uint64_t run, uint64_t u, double *trials)
{
	double p = simulate_uniform(run, u) < 0.6 ? 0.9 : 0.1;

	*trials = 2;
	return (simulate_uniform(run, u + 1) < p) + (simulate_uniform(run, u + 2) < p);
}

/* Judged in both orders: the better one wins in either place, more often in the first; hits are the first one's. */
static double both_orders(uint64_t run, uint64_t u, double *trials)
{
	*trials = 2;
	return (simulate_uniform(run, u) < 0.9) + (simulate_uniform(run, u + 1) < 0.3);
}

static double ranking(uint64_t run, uint64_t u, double *trials)
{
	static const int pairs[] = {1, 3, 6, 10};
	double p = simulate_uniform(run, u) < 0.5 ? 0.85 : 0.35, hits = 0;

	*trials = pairs[(int)(4 * simulate_uniform(run, u + 1))];
	for (int i = 0; i < *trials; i++)
		hits += simulate_uniform(run, u + 2 + (uint64_t)i) < p;
	return hits;
}

static double share(uint64_t run, uint64_t u, double *trials)
{
	double x = simulate_uniform(run, u);

	*trials = 1;
	return x * x;
}

/* Records whose pairs are all ties have no trials. */
static double decided(uint64_t run, uint64_t u, double *trials)
{
	*trials = simulate_uniform(run, u) < 0.7;
	return *trials && simulate_uniform(run, u + 1) < 0.7;
}

static void rates_cover(void **state)
{
	static const struct rate_world worlds[] = {{"half of draws", 30, 0.6, with_draws},
		{"half of draws", 100, 0.6, with_draws}, {"judged twice", 60, 0.58, twice_alike},
		{"the first answer", 60, 0.6, both_orders},
		{"the first answer", 100, 0.6, both_orders}, {"rankings", 30, 0.6, ranking},
		{"rankings", 100, 0.6, ranking}, {"shares", 30, 1 / 3.0, share},
		{"decided", 60, 0.7, decided}};

	(void)state;
	for (size_t w = 0; w < COUNT(worlds); w++) {
		int hits = 0;

		for (uint64_t run = 0; run < RUNS; run++) {
			struct stats_rate r = {.clusters = 0};

			for (uint64_t i = 0; i < worlds[w].clusters; i++) {
				double trials, sum = worlds[w].draw(run, 16 * i, &trials);

				stats_rate_add(&r, sum, trials);
			}
			hits += simulate_holds(stats_rate_wilson(&r, 0.95), worlds[w].truth);
		}
		covers(worlds[w].what, hits, RUNS);
	}
}

/* ---- means */

static double symmetric(uint64_t run, uint64_t i)
{
	return 0.3 + simulate_normal(run, i);
}

/* A log-ratio whose spread grows with a length that varies. */
static double spread(uint64_t run, uint64_t i)
{
	return exp(0.5 * simulate_normal(run, 5000 + i)) * simulate_normal(run, i);
}

static double squared(uint64_t run, uint64_t i)
{
	double r = simulate_normal(run, i);

	return r * r / 2;
}

/* exp(-r) - 1 + r of a policy's own completions, r being normal with mean 1/32 and variance 1/16. */
static double never_negative(uint64_t run, uint64_t i)
{
	double r = 1 / 32.0 + 0.25 * simulate_normal(run, i);

	return exp(-r) - 1 + r;
}

static void means_cover(void **state)
{
	static const struct {
		const char *what;
		uint64_t records;
		double truth;
		double (*draw)(uint64_t run, uint64_t i);
		bool skewed;
	} worlds[] = {{"a mean of 3", 3, 0.3, symmetric, false},
		{"a mean", 30, 0.3, symmetric, false}, {"a mean of spread", 60, 0, spread, false},
		{"k2", 30, 0.5, squared, true}, {"k2", 100, 0.5, squared, true},
		{"k3", 60, 1 / 32.0, never_negative, true}};

	(void)state;
	for (size_t w = 0; w < COUNT(worlds); w++) {
		int hits = 0;

		for (uint64_t run = 0; run < RUNS; run++) {
			struct stats_mean m = {.clusters = 0};

			for (uint64_t i = 0; i < worlds[w].records; i++)
				stats_mean_add(&m, worlds[w].draw(run, i), 1);
			hits += simulate_holds(worlds[w].skewed ? stats_mean_skewed_interval(&m, 0.95)
						       : stats_mean_interval(&m, 0.95),
				worlds[w].truth);
		}
		covers(worlds[w].what, hits, RUNS);
	}
}

/* The pairs of a ranking of three, which share completions. */
static void clustered_means_cover(void **state)
{
	int mean = 0, bootstrap = 0;

	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		struct stats_mean m = {.clusters = 0};
		struct stats_bootstrap b;

		assert_int_equal(stats_bootstrap_init(&b, 300, run, &err), 0);
		for (uint64_t i = 0; i < 60; i++) {
			double first = 0.2 + simulate_normal(run, 3 * i), second = simulate_normal(run, 3 * i + 1);
			double third = simulate_normal(run, 3 * i + 2), sum = first - second;
			double pairs = simulate_uniform(run, i) < 0.5 ? 3 : 1;

			if (pairs > 1)
				sum += first - third + second - third;
			stats_mean_add(&m, sum, pairs);
			stats_bootstrap_add(&b, sum, pairs);
		}
		/* Of three pairs two have the 0.2, of one it. */
		mean += simulate_holds(stats_mean_interval(&m, 0.95), 0.2 * (2 + 1) / (3 + 1));
		bootstrap += simulate_holds(stats_bootstrap_interval(&b, 0.95), 0.2 * (2 + 1) / (3 + 1));
		stats_bootstrap_release(&b);
	}
	covers("a mean over rankings", mean, RUNS);
	covers("a bootstrap over rankings", bootstrap, RUNS);
}

static void bootstrap_covers(void **state)
{
	static const struct {
		uint64_t rows;
		double truth;
		double (*draw)(uint64_t run, uint64_t i);
	} worlds[] = {{30, 0.3, symmetric}, {60, 0, spread}};

	(void)state;
	for (size_t w = 0; w < COUNT(worlds); w++) {
		int hits = 0;

		for (uint64_t run = 0; run < RUNS; run++) {
			struct stats_bootstrap b;

			assert_int_equal(stats_bootstrap_init(&b, 300, run, &err), 0);
			for (uint64_t i = 0; i < worlds[w].rows; i++)
				stats_bootstrap_add(&b, worlds[w].draw(run, i), 1);
			hits += simulate_holds(stats_bootstrap_interval(&b, 0.95), worlds[w].truth);
			stats_bootstrap_release(&b);
		}
		covers("a bootstrap", hits, RUNS);
	}
}

/* ---- two policies on the same pairs */

/* They share half of their noise: sd of both 1, means 0.2 and 0.5. */
static void differences_cover(void **state)
{
	const double truth = erf(0.5 / M_SQRT2) / 2 - erf(0.2 / M_SQRT2) / 2;

	(void)state;
	for (uint64_t n = 30; n <= 120; n *= 2) {
		int accuracy = 0, margin = 0;

		for (uint64_t run = 0; run < RUNS; run++) {
			struct paired p;

			assert_int_equal(paired_init(&p, n > 30 ? 0 : 300, run, &err), 0);
			for (uint64_t i = 0; i < n; i++) {
				double both = simulate_normal(run, i);

				paired_add(&p, 0.2 + M_SQRT1_2 * (both + simulate_normal(run, 1000 + i)),
					0.5 + M_SQRT1_2 * (both + simulate_normal(run, 2000 + i)));
				paired_close_record(&p);
			}
			accuracy += simulate_holds(paired_difference_interval(&p, 0.95), truth);
			margin += simulate_holds(stats_bootstrap_interval(&p.margin, 0.95), 0.3);
			paired_release(&p);
		}
		covers("a difference of accuracies", accuracy, RUNS);
		if (n == 30)
			covers("a difference of margins", margin, RUNS);
	}
}

static void differences_at_edges(void **state)
{
	struct stats_interval x;

	(void)state;
	/* Neither wins anything; both win all; the second wins all. */
	for (int kind = 0; kind < 3; kind++) {
		struct paired p;

		assert_int_equal(paired_init(&p, 50, 0, &err), 0);
		assert_true(isnan(paired_difference_interval(&p, 0.95).low) &&
			    isnan(stats_bootstrap_interval(&p.margin, 0.95).high));
		for (int n = 1; n <= 30; n++) {
			paired_add(&p, kind == 1 ? 1 : -1, kind ? 1 : -1);
			paired_close_record(&p);
			x = paired_difference_interval(&p, 0.95);
			assert_true(x.low >= -1 && x.high <= 1 && x.high - x.low > 1.0 / n);
			assert_true(simulate_holds(x, paired_difference(&p)));
		}
		assert_true(kind == 2 ? x.low > 0.8 : x.high < 0.1 && x.low > -0.1);
		paired_release(&p);
	}
}

/* ---- KL, as a policy's records come */

static void kl_covers(void **state)
{
	static const double truth[] = {0.4, (0.16 + 0.25) / 2};
	int hits[COUNT(truth)] = {0};

	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		const struct reward_options o = {.reference = true, .beta = 0.1};
		struct reward r;

		assert_int_equal(reward_init(&r, &o, &err), 0);
		/* A ranking of three counts the first one twice among the chosen ones, which tells no more. */
		for (uint64_t i = 0; i < 60; i++) {
			double a = 0.4 + 0.5 * simulate_normal(run, 2 * i),
			       b = 0.4 + 0.5 * simulate_normal(run, 2 * i + 1);
			const struct reward_completion c[] = {
				{a - 9, -9, 3}, {b - 7, -7, 2}, {-8, -7, 5}};

			reward_add_ranking(&r, c, 2 + i % 2);
		}
		for (size_t k = REWARD_K1; k < COUNT(truth); k++)
			hits[k] += simulate_holds(reward_kl_interval(&r.chosen.kl, k, 0.95), truth[k]);
		reward_release(&r);
	}
	covers("k1", hits[REWARD_K1], RUNS);
	covers("k2", hits[REWARD_K2], RUNS);
}

static void kl_at_edges(void **state)
{
	const struct reward_options o = {.reference = true, .beta = 0.1};
	const struct reward_completion near = {-3, -3.2, 2}, far = {-5, -9, 2};
	struct reward r;

	(void)state;
	assert_int_equal(reward_init(&r, &o, &err), 0);
	for (int n = 0; n < 2; n++) { /* none, and one */
		for (int k = 0; k < REWARD_ESTIMATES; k++) {
			assert_true(isnan(stats_mean_value(&r.chosen.kl.k[k])) == (n == 0));
			assert_true(isnan(reward_kl_interval(&r.chosen.kl, k, 0.95).low));
		}
		reward_add_labelled(&r, &near, true);
	}
	for (int k = 0; k < REWARD_ESTIMATES; k++) /* twice the same */
		assert_true(reward_kl_interval(&r.chosen.kl, k, 0.95).high > 0);
	reward_add_labelled(&r, &far, true);
	assert_true(reward_kl_interval(&r.chosen.kl, REWARD_K2, 0.95).low == 0);
	assert_true(isnan(reward_kl_interval(&r.chosen.kl, REWARD_K3, 0.95).low));
	reward_release(&r);
}

/* ---- judges */

/* Two judges on models' answers to items. Each sees the truth, win, draw or loss, with a probability that is the
 * item's, and else guesses: they agree by more than chance with its square, whose mean is kappa. */
struct kappa_world {
	uint64_t items, models;
	double easy, hard; /* that probability, of half of the items each */
};

static void judge_item(const struct kappa_world *w, uint64_t run, uint64_t item, uint64_t counts[9])
{
	double sees = simulate_uniform(run, 100000 + item) < 0.5 ? w->easy : w->hard;

	for (uint64_t m = 0; m < w->models; m++) {
		uint64_t u = 8 * (item * w->models + m);
		int said[2], truth = (int)(3 * simulate_uniform(run, u));

		for (uint64_t j = 0; j < 2; j++)
			said[j] = simulate_uniform(run, u + 1 + j) < sees
					  ? truth
					  : (int)(3 * simulate_uniform(run, u + 3 + j));
		counts[3 * said[0] + said[1]]++;
	}
}

static void kappa_covers(void **state)
{
	static const struct kappa_world worlds[] = {{30, 1, 0.8, 0.8}, {100, 1, 0.8, 0.8},
		{60, 1, 0.9, 0.9}, {100, 1, 0.95, 0.95}, {60, 5, 0.95, 0.5}, {100, 3, 0.9, 0.4}};

	(void)state;
	for (size_t w = 0; w < COUNT(worlds); w++) {
		const struct kappa_world *of = &worlds[w];
		double truth = (of->easy * of->easy + of->hard * of->hard) / 2;
		int hits = 0;

		for (uint64_t run = 0; run < RUNS; run++) {
			struct agreement a = {.n = 0};

			for (uint64_t i = 0; i < of->items; i++) {
				uint64_t counts[9] = {0};

				judge_item(of, run, i, counts);
				agreement_add(&a, counts);
			}
			hits += simulate_holds(agreement_kappa_interval(&a, 0.95), truth);
		}
		covers("kappa", hits, RUNS);
	}
}

static void kappa_at_edges(void **state)
{
	struct agreement a = {.n = 0};
	struct stats_interval x = agreement_kappa_interval(&a, 0.95);

	(void)state;
	assert_true(isnan(x.low) && isnan(x.high));
	agreement_add(&a, (uint64_t[9]){0, 0, 1}); /* a loss for one, a win for the other */
	x = agreement_kappa_interval(&a, 0.95);
	assert_true(agreement_kappa(&a) == 0 && x.low == 0 && x.high > 0.75 && x.high < 0.85);
	a = (struct agreement){.n = 0};
	agreement_add(&a, (uint64_t[9]){1});
	assert_true(isnan(agreement_kappa(&a)) && isnan(agreement_kappa_interval(&a, 0.95).low));
	/* Never apart, by as many wins as losses: as sure as that many wins are. */
	for (int n = 1; n < 10; n++)
		agreement_add(&a, n % 2 ? (uint64_t[9]){[8] = 1} : (uint64_t[9]){1});
	x = agreement_kappa_interval(&a, 0.95);
	assert_int_equal(a.items, 10);
	NEAR(x.low, 2 * stats_wilson(10, 10, 0.95).low - 1, 1e-12);
	assert_true(agreement_kappa(&a) == 1 && x.high == 1);
}

/* ---- verdicts: from records to intervals */

static void add(
	struct verdicts *v, int base, int model, int item, bool won, enum verdict_first first)
{
	const struct verdict one = {.base = base,
		.model = model,
		.item = item,
		.judge = 0,
		.group = -1,
		.value = won,
		.base_length = -1,
		.model_length = -1,
		.first = first};

	assert_int_equal(verdicts_add(v, &one, &err), 0);
}

/* Against two others, in both orders: items are easy or hard for the model, and the judge likes the first place. */
static void verdicts_cover(void **state)
{
	int rate = 0, first = 0;

	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		struct verdicts v = {.n = 0};
		struct winrate w;
		struct position p;

		for (int i = 0; i < 60; i++) {
			double good = simulate_uniform(run, 900 + (uint64_t)i) < 0.5 ? 0.8 : 0.4;

			for (int k = 0; k < 4; k++) {
				bool shown = k % 2;
				double x = simulate_uniform(run, (uint64_t)(4 * i + k));

				add(&v, 1 + k / 2, 0, i, x < good + (shown ? 0.1 : -0.1),
					shown ? FIRST_MODEL : FIRST_BASE);
			}
		}
		verdicts_sort(&v);
		winrate_count(&w, &v, &(struct winrate_choice){0, -1, -1});
		verdicts_position(&v, &p);
		rate += simulate_holds(stats_rate_wilson(&w.items, 0.95), 0.6);
		first += simulate_holds(stats_rate_wilson(&p.first, 0.95), 0.6);
		verdicts_release(&v);
	}
	covers("a win rate", rate, RUNS);
	covers("the first answer", first, RUNS);
}

/* Battles of models of known strength, two an item, the second of which is half the time the first once more. */
static void make_battles(struct verdicts *v, const double strength[4], uint64_t run, int items)
{
	for (int m = 0; m < 4; m++)
		names_add(&v->models, &"abcd"[m], 1, &err);
	for (int i = 0; i < items; i++) {
		int a = i % 4, b = (a + 1 + i / 4 % 3) % 4;
		double p = logistic_sigmoid(strength[b] - strength[a]);
		uint64_t u = 3 * (uint64_t)i, again = simulate_uniform(run, u) < 0.5 ? u + 1 : u + 2;
		char item[16];

		names_add(&v->items, item, (size_t)snprintf(item, sizeof item, "%d", i), &err);
		add(v, a, b, i, simulate_uniform(run, u + 1) < p, FIRST_UNKNOWN);
		add(v, a, b, i, simulate_uniform(run, again) < p, FIRST_UNKNOWN);
	}
	verdicts_sort(v);
}

static void ratings_cover(void **state)
{
	const double strength[4] = {0, 0.5, -0.4, 1.1};
	const int runs = RUNS < 1000 ? RUNS : RUNS / 4;
	int hits = 0, best = 0;

	(void)state;
	for (uint64_t run = 0; run < (uint64_t)runs; run++) {
		struct verdicts v = {.n = 0};
		struct ratings r;

		make_battles(&v, strength, run, 240);
		assert_int_equal(ratings_init(&r, &v, 0, 200, run, 0.95, &err), 0);
		assert_true(r.determined);
		for (int i = 0; i < 4; i++) {
			const struct rating *x = &r.all[i];

			assert_true(x->rank_low <= x->rank && x->rank <= x->rank_high);
			if (x->model)
				hits += simulate_holds(
					x->interval, 1000 + 400 / M_LN10 * strength[x->model]);
		}
		best += r.all[0].model == 3;
		ratings_release(&r);
		verdicts_release(&v);
	}
	covers("ratings", hits, 3 * runs);
	assert_true(best >= runs * 0.98);
}

/* One item, and one model that won all. */
static void ratings_at_edges(void **state)
{
	struct verdicts v = {.n = 0};
	struct ratings r;

	(void)state;
	assert_int_equal(ratings_init(&r, &v, -1, 9, 0, 0.95, &err), 0);
	assert_int_equal(r.n, 0);
	ratings_release(&r);
	for (int m = 0; m < 3; m++)
		names_add(&v.models, &"abc"[m], 1, &err);
	for (int i = 0; i < 2; i++) {
		names_add(&v.items, &"01"[i], 1, &err);
		add(&v, 0, 2, i, true, FIRST_UNKNOWN);
		add(&v, 1, 2, i, true, FIRST_UNKNOWN);
		verdicts_sort(&v);
		assert_int_equal(ratings_init(&r, &v, -1, 9, 0, 0.95, &err), 0);
		assert_true(r.all[0].model == 2 && !r.determined);
		assert_true(isnan(r.all[0].interval.low) == (i == 0));
		assert_int_equal(r.all[0].rank_low, i);
		ratings_release(&r);
	}
	verdicts_release(&v);
}

/* ---- win rates at even length */

/* The mean of sigmoid(strength + spread * Z), Z standard normal. */
static double mean_rate(double strength, double spread)
{
	double sum = 0, weights = 0;

	for (int i = -400; i <= 400; i++) {
		double z = i / 50.0, weight = exp(-z * z / 2);

		sum += weight * logistic_sigmoid(strength + spread * z);
		weights += weight;
	}
	return sum / weights;
}

/* Models against a base, by judges who care for length; all but the first at random. */
struct length_world {
	int models, items, judges;
	double strength, slope,
		longer; /* longer: the first model's answers, in standard deviations */
	bool told;	/* the difficulties */
	bool shares;	/* judges say shares, not 0 or 1 */
};

#define LENGTH_SPREAD 1.4 /* of difficulties */

static void make_verdicts(
	const struct length_world *of, uint64_t run, struct verdicts *v, double *difficulty)
{
	char name[16];

	for (int m = 0; m <= of->models; m++)
		names_add(&v->models, name, (size_t)snprintf(name, sizeof name, "%d", m), &err);
	for (int i = 0; i < of->items; i++) {
		double base = 0.5 * simulate_normal(run, 50000 + (uint64_t)i);

		difficulty[i] = LENGTH_SPREAD * simulate_normal(run, 60000 + (uint64_t)i);
		names_add(&v->items, name, (size_t)snprintf(name, sizeof name, "%d", i), &err);
		for (int m = 1; m <= of->models; m++) {
			uint64_t at = (uint64_t)(i * of->models + m);
			double more = m > 1 ? simulate_normal(run, 70000 + (uint64_t)m) : 0;
			double length = 0.9 * simulate_normal(run, at) + (m > 1 ? more / 2 : of->longer);
			double p = logistic_sigmoid(of->strength + more + difficulty[i] +
						    of->slope * tanh(base - length));

			for (int j = 0; j < of->judges; j++) {
				bool won = simulate_uniform(run, at * 8 + (uint64_t)j) < p;
				const struct verdict one = {.model = m,
					.item = i,
					.judge = j,
					.group = -1,
					.value = of->shares ? 0.3 * p + 0.7 * won : won,
					.base_length = 1000 + 100 * base,
					.model_length = 1000 + 100 * length};

				assert_int_equal(verdicts_add(v, &one, &err), 0);
			}
		}
	}
}

/* How often the first model's interval holds its rate. */
static int length_hits(const struct length_world *of, int runs)
{
	const double truth = 100 * mean_rate(of->strength, LENGTH_SPREAD);
	double difficulty[1000];
	int inside = 0;

	assert_true(of->items <= 1000);
	for (int run = 0; run < runs; run++) {
		struct verdicts v = {.n = 0};
		struct length_control l;
		struct length_rate rate;

		make_verdicts(of, (uint64_t)run, &v, difficulty);
		assert_int_equal(
			length_control_init(&l, &v, 0, of->told ? difficulty : NULL, &err), 0);
		assert_int_equal(length_control_rate(&l, 1, 0.95, &rate, &err), 0);
		inside += simulate_holds(rate.interval, truth);
		length_control_release(&l);
		verdicts_release(&v);
	}
	return inside;
}

static void length_control_covers(void **state)
{
	/* Rates of 10, 50 and 90 %, by strengths of 0 and 3.2; judges who care more for length than the imagined
	 * opponents, less, and not at all. */
	const struct length_world worlds[] = {{1, 150, 1, 0, -1.6, 0.7, false, false},
		{1, 300, 1, -3.2, -0.5, 0.7, true, false}, {1, 600, 2, 3.2, -2.4, -0.7, true, true},
		{3, 120, 1, 0, -1.2, 0.8, false, false},
		{2, 300, 1, -3.2, -1.2, -0.3, false, false}, {1, 805, 1, 0, 0, 1.2, false, false}};
	const int runs = RUNS < 1000 ? RUNS : RUNS / 2;

	(void)state;
	for (size_t i = 0; i < COUNT(worlds); i++)
		covers("at even length", length_hits(&worlds[i], runs), runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wilson_covers),
		cmocka_unit_test(rates_cover),
		cmocka_unit_test(means_cover),
		cmocka_unit_test(clustered_means_cover),
		cmocka_unit_test(bootstrap_covers),
		cmocka_unit_test(differences_cover),
		cmocka_unit_test(differences_at_edges),
		cmocka_unit_test(kl_covers),
		cmocka_unit_test(kl_at_edges),
		cmocka_unit_test(kappa_covers),
		cmocka_unit_test(kappa_at_edges),
		cmocka_unit_test(verdicts_cover),
		cmocka_unit_test(ratings_cover),
		cmocka_unit_test(ratings_at_edges),
		cmocka_unit_test(length_control_covers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
