/* lib/eval: verdicts, ratings, length control, what is behind margins; intervals by simulation. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/bradley_terry.h"
#include "eval/chart.h"
#include "eval/histogram.h"
#include "eval/length_control.h"
#include "eval/logistic.h"
#include "eval/margins.h"
#include "eval/paired.h"
#include "eval/table.h"
#include "eval/verdicts.h"

#define NEAR(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

/* Runs of simulations; a share of 0.95 has a standard error of 0.0044 in as many. Sanitizers look for other
 * things, and take their time. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { RUNS = 100 };
#else
enum { RUNS = 2500 };
#endif

static struct err err;

static double uniform(uint64_t run, uint64_t i)
{
	return rng_uniform(20, run, i);
}

static double normal(uint64_t run, uint64_t i)
{
	double two[2];

	rng_normal(21, run, i, two);
	return two[0];
}

static bool holds(struct stats_interval i, double x)
{
	return i.low <= x && x <= i.high;
}

/* ---- names, tables, histograms */

static void names(void **state)
{
	struct names n = {.n = 0};
	char text[32];

	(void)state;
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3000; i++) {
			int len = snprintf(text, sizeof text, "n%d", i * i);

			assert_int_equal(names_add(&n, text, (size_t)len, &err), i);
		}
	assert_int_equal(n.n, 3000);
	assert_int_equal(names_add(&n, "", 0, &err), 3000);
	assert_int_equal(names_add(&n, "a\0b", 3, &err), 3001);
	assert_int_equal(names_find(&n, "a\0c", 3), -1);
	assert_int_equal(names_find(&n, "n4", 2), 2);
	assert_string_equal(names_get(&n, 2999), "n8994001");
	names_release(&n);
	assert_int_equal(names_find(&n, "n4", 2), -1);
}

static void tables(void **state)
{
	struct table t = TABLE_INIT;
	struct buf out = BUF_INIT;

	(void)state;
	table_add(&t, "a");
	table_add(&t, "b");
	table_row(&t);
	table_add(&t, "\xc3\xa9t\xc3\xa9\n");
	table_number(&t, NAN, 2, " %");
	table_row(&t);
	table_add(&t, "%s", "");
	table_number(&t, 12.345, 2, " %");
	table_row(&t);
	table_put(&t, &out);
	assert_string_equal(
		out.data, "a           b\n\xc3\xa9t\xc3\xa9?        -\n      12.35 %\n");
	buf_release(&out);
	table_release(&t);
}

static void histograms(void **state)
{
	struct histogram h = {.width = 0};
	uint64_t n = 0;
	int first, bins;

	(void)state;
	assert_int_equal(histogram_range(&h, &first), 0);
	for (int i = -50; i < 50; i++)
		histogram_add(&h, i + 0.5);
	bins = histogram_range(&h, &first);
	assert_true(h.width == 2);
	assert_int_equal(first, 32 - 25);
	assert_int_equal(bins, 50);
	for (int i = 0; i < HISTOGRAM_BINS; i++) {
		assert_true(h.bin[i] == 0 || h.bin[i] == 2);
		n += h.bin[i];
	}
	assert_int_equal(n, 100);
	histogram_add(&h, -1e6);
	histogram_add(&h, -0.0);
	n = 0;
	for (int i = 0; i < HISTOGRAM_BINS; i++)
		n += h.bin[i];
	assert_int_equal(n, 102);
}

/* ---- logistic regression */

static void logistic_known(void **state)
{
	/* Two groups, 3 of 4 and 1 of 3: the fit is their log-odds. */
	struct logistic_row rows[7] = {{{0}, 0, 1}};
	double w[LOGISTIC_MAX], v[LOGISTIC_MAX][LOGISTIC_MAX];

	(void)state;
	for (int i = 0; i < 7; i++)
		rows[i] = (struct logistic_row){{1, i >= 4}, i < 3 || i == 4, 1};
	logistic_fit(rows, 7, 2, 1e-9, w, v);
	NEAR(w[0], log(3), 1e-6);
	NEAR(w[1], log(1 / 2.0) - log(3), 1e-6);
	/* The variance of a group's log-odds is 1 / (n p (1 - p)). */
	NEAR(v[0][0], 1 / (4 * 0.75 * 0.25), 1e-6);
	NEAR(v[1][1], 1 / (4 * 0.75 * 0.25) + 1 / (3 * 2.0 / 9), 1e-6);
	/* Separated: finite, by the ridge. */
	for (int i = 0; i < 7; i++)
		rows[i].y = 1;
	logistic_fit(rows, 7, 2, 1e-3, w, NULL);
	assert_true(isfinite(w[0]) && w[0] > 5);
}

/* ---- verdicts */

static void add(struct verdicts *v, int base, int model, int item, int judge, double value,
	enum verdict_first first)
{
	const struct verdict one = {.base = base,
		.model = model,
		.item = item,
		.judge = judge,
		.group = -1,
		.value = value,
		.base_length = -1,
		.model_length = -1,
		.first = first};

	assert_int_equal(verdicts_add(v, &one, &err), 0);
}

static void winrates(void **state)
{
	struct verdicts v = {.n = 0};
	struct winrate w;

	(void)state;
	assert_int_equal(verdicts_common_base(&v), -1);
	assert_int_equal(
		winrate_count(&w, &v, &(struct winrate_choice){0, -1, -1}, 10, 0, 0.95, &err), 0);
	assert_true(isnan(winrate_percent(&w)) && isnan(winrate_standard_error(&w)) &&
		    isnan(winrate_discrete(&w)));
	names_add(&v.models, "a", 1, &err);
	names_add(&v.models, "b", 1, &err);
	add(&v, 0, 1, 0, 0, 1, FIRST_UNKNOWN);
	assert_int_equal(verdicts_common_base(&v), 0);
	assert_int_equal(
		winrate_count(&w, &v, &(struct winrate_choice){1, 0, -1}, 10, 0, 0.95, &err), 0);
	assert_true(w.interval.high == 1 && w.interval.low > 0 && w.interval.low < 0.5);
	assert_true(w.interval.high == 1 && w.interval.low > 0.15 && w.interval.low < 0.25);
	assert_true(winrate_percent(&w) == 100 && isnan(winrate_standard_error(&w)));
	add(&v, 1, 0, 1, 0, 0.25, FIRST_BASE); /* 0.75 for b */
	add(&v, 0, 1, 1, 0, 0.5, FIRST_UNKNOWN);
	verdicts_sort(&v);
	assert_int_equal(
		winrate_count(&w, &v, &(struct winrate_choice){1, 0, -1}, 10, 0, 0.95, &err), 0);
	NEAR(winrate_percent(&w), 75, 1e-12);
	NEAR(winrate_standard_error(&w), 100 * 0.25 / sqrt(3), 1e-12);
	NEAR(winrate_discrete(&w), 100 * 2.5 / 3, 1e-12);
	assert_int_equal(w.n_wins, 2);
	assert_int_equal(w.items.clusters, 2);
	assert_int_equal(
		winrate_count(&w, &v, &(struct winrate_choice){0, 1, -1}, 0, 0, 0.95, &err), 0);
	NEAR(winrate_percent(&w), 25, 1e-12);
	verdicts_release(&v);
}

static void kappa_published(void **state)
{
	/* The example of J. Fleiss, J. Cohen and B. Everitt, "Large sample standard errors of kappa and weighted
	 * kappa", Psychological Bulletin 72, 1969: kappa 0.429, its variance 0.002885, of 200 subjects. */
	const struct agreement a = {200, {{106, 10, 4}, {22, 28, 10}, {2, 12, 6}}};
	struct stats_interval i = agreement_kappa_interval(&a, 0.95);
	struct agreement same = {10, {{0, 0, 0}, {0, 0, 0}, {0, 0, 10}}}, none = {.n = 0};

	(void)state;
	NEAR(agreement_rate(&a), 0.7, 1e-12);
	NEAR(agreement_kappa(&a), 0.429, 0.0005);
	NEAR(i.high - i.low, 2 * 1.959964 * sqrt(0.002885), 0.0005);
	assert_true(isnan(agreement_kappa(&same)) && isnan(agreement_kappa(&none)));
	assert_true(isnan(agreement_rate(&none)));
}

static void positions(void **state)
{
	struct verdicts v = {.n = 0};
	struct position p;

	(void)state;
	names_add(&v.models, "a", 1, &err);
	names_add(&v.models, "b", 1, &err);
	for (int i = 0; i < 10; i++) { /* whatever is first wins */
		add(&v, 0, 1, i, 0, 0, FIRST_BASE);
		add(&v, 0, 1, i, 0, 1, FIRST_MODEL);
		add(&v, 1, 0, i, 1, 0.5, FIRST_BASE);
		add(&v, 0, 1, i, 1, 0.5, FIRST_UNKNOWN);
	}
	verdicts_sort(&v);
	verdicts_position(&v, &p);
	assert_int_equal(p.first_wins, 20);
	assert_int_equal(p.second_wins, 0);
	assert_int_equal(p.draws, 10);
	assert_int_equal(p.orders.n, 10);
	assert_true(agreement_rate(&p.orders) == 0);
	verdicts_release(&v);
}

/* ---- ratings */

static void ratings_known(void **state)
{
	/* Two models, 3 to 1: log 3 apart. */
	double wins[4] = {0, 3, 1, 0}, strength[2] = {0}, work[8];
	/* Three in a circle of 2 to 1: nobody is better. */
	double circle[9] = {0, 2, 1, 1, 0, 2, 2, 1, 0}, three[3] = {1, -2, 0}, room[15];
	double chain[9] = {0, 5, 0, 0, 0, 5, 0, 0, 0};
	unsigned char seen[3];

	(void)state;
	bradley_terry_fit(wins, 2, strength, work);
	NEAR(strength[0] - strength[1], log(3), 1e-5);
	bradley_terry_fit(circle, 3, three, room);
	for (int i = 0; i < 3; i++)
		NEAR(three[i], 0, 1e-6);
	assert_true(bradley_terry_determined(circle, 3, seen));
	assert_false(bradley_terry_determined(chain, 3, seen));
	memset(three, 0, sizeof three);
	bradley_terry_fit(chain, 3, three, room);
	assert_true(isfinite(three[0]) && three[0] > three[1] && three[1] > three[2]);
}

/* Battles of models of known strength; each model's rating against the anchor's is inside its interval. */
static void ratings_simulated(void **state)
{
	const double strength[4] = {0, 0.5, -0.4, 1.1};
	int inside = 0, n = 0, best = 0;

	(void)state;
	for (uint64_t run = 0; run < RUNS / 10; run++) {
		struct verdicts v = {.n = 0};
		struct ratings r;

		for (int m = 0; m < 4; m++)
			names_add(&v.models, &"abcd"[m], 1, &err);
		for (int i = 0; i < 400; i++) {
			int a = i % 4, b = (a + 1 + i / 4 % 3) % 4;
			double p = logistic_sigmoid(strength[b] - strength[a]);
			char item[16];
			int len = snprintf(item, sizeof item, "%d", i);

			names_add(&v.items, item, (size_t)len, &err);
			add(&v, a, b, i, 0, uniform(run, (uint64_t)i) < p, FIRST_UNKNOWN);
		}
		verdicts_sort(&v);
		assert_int_equal(ratings_init(&r, &v, 0, 300, run, 0.95, &err), 0);
		assert_true(r.determined);
		for (int i = 0; i < 4; i++) {
			const struct rating *x = &r.all[i];

			assert_int_equal(x->rank, i + 1);
			if (x->model == 0)
				continue;
			inside += holds(x->interval, 1000 + 400 / M_LN10 * strength[x->model]);
			n++;
		}
		best += r.all[0].model == 3;
		ratings_release(&r);
		verdicts_release(&v);
	}
	/* 750 intervals: a share of 0.95 has a standard error of 0.008, and those of a run go together. */
	NEAR((double)inside / n, 0.95, RUNS < 1000 ? 0.1 : 0.025);
	assert_true(best >= RUNS / 10 * 0.98);
}

/* ---- length control: what was made up is found again */

static void length_control_simulated(void **state)
{
	enum { MODELS = 6, ITEMS = 500 };

	const double strength[MODELS] = {0, -1, -0.5, 0.3, 0.8, -1.5}, slope = -1.2;
	struct verdicts v = {.n = 0};
	struct length_control l;
	struct length_rate rate;
	double sum;

	(void)state;
	for (int m = 0; m < MODELS; m++)
		names_add(&v.models, &"abcdef"[m], 1, &err);
	for (int i = 0; i < ITEMS; i++) {
		char item[16];
		int len = snprintf(item, sizeof item, "%d", i);

		names_add(&v.items, item, (size_t)len, &err);
		for (int m = 1; m < MODELS; m++) {
			uint64_t at = (uint64_t)(i * MODELS + m);
			double base = 1000, length = 1000 + 300 * normal(1, at) + 60 * m;
			double p = logistic_sigmoid(strength[m] + normal(2, (uint64_t)i) +
						    slope * tanh((base - length) / 300));
			const struct verdict one = {.base = 0,
				.model = m,
				.item = i,
				.judge = -1,
				.group = -1,
				.value = p,
				.base_length = base,
				.model_length = length};

			assert_int_equal(verdicts_add(&v, &one, &err), 0);
		}
	}
	assert_int_equal(length_control_init(&l, &v, 0, NULL, &err), 0);
	NEAR(l.slope, slope, 0.15);
	for (int m = 1; m < MODELS; m++) {
		sum = 0;
		for (int i = 0; i < ITEMS; i++)
			sum += 100 * logistic_sigmoid(strength[m] + normal(2, (uint64_t)i)) / ITEMS;
		assert_int_equal(length_control_rate(&l, m, 0.95, &rate, &err), 0);
		NEAR(rate.percent, sum, 1.5);
		assert_true(holds(rate.interval, rate.percent) && rate.length < 0);
	}
	assert_int_equal(length_control_rate(&l, 0, 0.95, &rate, &err), 0);
	assert_true(isnan(rate.percent));
	length_control_release(&l);
	verdicts_release(&v);
}

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
		double base = 0.5 * normal(run, 50000 + (uint64_t)i);

		difficulty[i] = LENGTH_SPREAD * normal(run, 60000 + (uint64_t)i);
		names_add(&v->items, name, (size_t)snprintf(name, sizeof name, "%d", i), &err);
		for (int m = 1; m <= of->models; m++) {
			uint64_t at = (uint64_t)(i * of->models + m);
			double more = m > 1 ? normal(run, 70000 + (uint64_t)m) : 0;
			double length = 0.9 * normal(run, at) + (m > 1 ? more / 2 : of->longer);
			double p = logistic_sigmoid(of->strength + more + difficulty[i] +
						    of->slope * tanh(base - length));

			for (int j = 0; j < of->judges; j++) {
				bool won = uniform(run, at * 8 + (uint64_t)j) < p;
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

/* The share of runs in which the first model's interval holds its rate, and the rate itself does. */
static double length_coverage(const struct length_world *of, int runs)
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
		inside += holds(rate.interval, truth);
		length_control_release(&l);
		verdicts_release(&v);
	}
	return (double)inside / runs;
}

static void coverage_of_length_control(void **state)
{
	/* Rates of 10, 50 and 90 %, by strengths of 0 and 3.2; judges who care more for length than the imagined
	 * opponents, less, and not at all. */
	const struct length_world worlds[] = {{1, 150, 1, 0, -1.6, 0.7, false, false},
		{1, 300, 1, -3.2, -0.5, 0.7, true, false}, {1, 600, 2, 3.2, -2.4, -0.7, true, true},
		{3, 120, 1, 0, -1.2, 0.8, false, false},
		{2, 300, 1, -3.2, -1.2, -0.3, false, false}, {1, 805, 1, 0, 0, 1.2, false, false}};
	const int runs = RUNS < 1000 ? RUNS : 2500;

	(void)state;
	for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++)
		NEAR(length_coverage(&worlds[i], runs), 0.95, RUNS < 1000 ? 0.07 : 0.01);
}

static void length_control_edges(void **state)
{
	const double lengths[] = {80, 130, 70, 100, 95};
	double difficulty[5] = {0};

	(void)state;
	for (int n = 0; n <= 5; n++) {
		struct verdicts v = {.n = 0};
		struct length_control l;
		struct length_rate rate;
		struct stats_interval wilson = stats_wilson(n, n, 0.95);

		names_add(&v.models, "a", 1, &err);
		names_add(&v.models, "b", 1, &err);
		for (int i = 0; i < n; i++) {
			const struct verdict one = {.model = 1,
				.item = i,
				.judge = -1,
				.group = -1,
				.value = 1,
				.base_length = 100,
				.model_length = lengths[i]};

			names_add(&v.items, &"01234"[i], 1, &err);
			assert_int_equal(verdicts_add(&v, &one, &err), 0);
		}
		/* All won, then all but the last. */
		for (int round = 0; round < 2; round++) {
			if (round && n)
				v.all[n - 1].value = 0;
			assert_int_equal(length_control_init(&l, &v, 0, difficulty, &err), 0);
			assert_int_equal(length_control_rate(&l, 1, 0.95, &rate, &err), 0);
			assert_true(isnan(rate.percent) == (n == 0));
			if (n == 0 || (round && n > 1 && n < 4))
				assert_true(isnan(rate.interval.low) && isnan(rate.interval.high));
			else if (!round)
				assert_true(fabs(rate.interval.low - 100 * wilson.low) < 1e-9 &&
					    rate.interval.high == 100);
			else
				assert_true(rate.interval.low >= 0 && rate.interval.high <= 100 &&
					    rate.interval.low < rate.interval.high);
			length_control_release(&l);
		}
		verdicts_release(&v);
	}
}

/* ---- margins and pairs of policies */

static void mcnemar(void **state)
{
	(void)state;
	/* Sums of binomial coefficients: 2 (1 + 10 + 45) / 1024; nothing; 2 / 2^5. */
	NEAR(paired_mcnemar(2, 8), 112.0 / 1024, 1e-12);
	NEAR(paired_mcnemar(8, 2), 112.0 / 1024, 1e-12);
	assert_true(paired_mcnemar(0, 0) == 1 && paired_mcnemar(4, 4) == 1);
	NEAR(paired_mcnemar(0, 5), 0.0625, 1e-12);
	assert_true(paired_mcnemar(400000, 600000) < 1e-300);
}

static void margins_edges(void **state)
{
	struct margins m;
	struct margins_quantile q[5];

	(void)state;
	margins_init(&m);
	assert_true(isnan(margins_longer_rule(&m)) && isnan(margins_balanced(&m)) &&
		    isnan(margins_best_factor(&m)));
	assert_true(isnan(margins_line(&m).r2) && isnan(margins_calibration_error(&m)));
	assert_int_equal(margins_quantiles(&m, 5, q), 0);
	/* Margins that length alone makes. */
	for (uint64_t i = 1; i <= 20; i++) {
		const struct margins_pair p = {.margin = 0.5 * ((double)i - 10.5),
			.chosen = i % 2 ? -1 : 1,
			.rejected = -1,
			.chosen_tokens = 2 * i,
			.rejected_tokens = 21};

		assert_int_equal(margins_add(&m, &p, &err), 0);
		margins_close_record(&m);
	}
	NEAR(margins_line(&m).r2, 1, 1e-12);
	NEAR(margins_line(&m).slope, 0.25, 1e-12);
	NEAR(margins_line(&m).intercept, 0, 1e-12);
	assert_true(margins_prefers_longer(&m) == 1 && margins_balanced(&m) == 0.5 &&
		    margins_longer_rule(&m) == 0.5);
	assert_int_equal(margins_quantiles(&m, 5, q), 5);
	assert_int_equal(q[0].from, 23);
	assert_int_equal(q[0].tally.losses, 4);
	assert_int_equal(q[4].to, 61);
	assert_int_equal(m.fell[1][1] + m.fell[0][1], 20);
	margins_release(&m);
}

/* Chosen are better with probability sigmoid(3 margin): the beta that is missing is found. */
static void margins_calibrated(void **state)
{
	struct margins m;

	(void)state;
	margins_init(&m);
	for (uint64_t i = 0; i < 20000; i++) {
		double x = 0.5 * normal(3, i);
		const struct margins_pair p = {
			.margin = uniform(4, i) < logistic_sigmoid(3 * x) ? x : -x,
			.chosen_tokens = 1,
			.rejected_tokens = 1};

		assert_int_equal(margins_add(&m, &p, &err), 0);
		margins_close_record(&m);
	}
	NEAR(margins_best_factor(&m), 3, 0.2);
	assert_true(margins_calibration_error(&m) > 0.1);
	margins_release(&m);
}

/* ---- coverage: 95 % intervals hold the truth in 94 to 96 % of runs */

static void covers(int hits)
{
	NEAR((double)hits / RUNS, 0.95, RUNS < 1000 ? 0.06 : 0.01);
}

static void coverage_of_rates(void **state)
{
	int wilson = 0, clustered = 0;

	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		struct stats_rate rate = {.clusters = 0};
		double hits = 0;

		for (uint64_t i = 0; i < 237; i++)
			hits += uniform(run, i) < 0.61;
		wilson += holds(stats_wilson(hits, 237, 0.95), 0.61);
		for (uint64_t i = 0; i < 150;
			i++) { /* three trials that come out alike more often than not */
			double p = uniform(run, 1000 + i) < 0.5 ? 0.85 : 0.35, wins = 0;

			for (uint64_t j = 0; j < 3; j++)
				wins += uniform(run, 2000 + 3 * i + j) < p;
			stats_rate_add(&rate, wins, 3);
		}
		clustered += holds(stats_rate_wilson(&rate, 0.95), 0.6);
	}
	covers(wilson);
	covers(clustered);
}

static void coverage_of_means(void **state)
{
	int plain = 0, bootstrap = 0, difference = 0;

	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		struct stats_sample s = {.n = 0};
		struct stats_bootstrap b;
		struct paired p;

		assert_int_equal(stats_bootstrap_init(&b, 400, run, &err), 0);
		assert_int_equal(paired_init(&p, 400, run, &err), 0);
		for (uint64_t i = 0; i < 200; i++) {
			double x = 0.3 + normal(run, i) + 0.5 * normal(run, 1000 + i);

			stats_sample_add(&s, x);
			stats_bootstrap_add(&b, x, 1);
			/* Policies that share half of their noise: sd of both 1, means 0.2 and 0.5. */
			paired_add(&p,
				0.2 + M_SQRT1_2 * (normal(run, 2000 + i) + normal(run, 3000 + i)),
				0.5 + M_SQRT1_2 * (normal(run, 2000 + i) + normal(run, 4000 + i)));
			paired_close_record(&p);
		}
		plain += holds(stats_sample_interval(&s, 0.95), 0.3);
		bootstrap += holds(stats_bootstrap_interval(&b, 0.95), 0.3);
		difference += holds(stats_bootstrap_interval(&p.accuracy, 0.95),
			erf(0.5 / M_SQRT2) / 2 - erf(0.2 / M_SQRT2) / 2);
		stats_bootstrap_release(&b);
		paired_release(&p);
	}
	covers(plain);
	covers(bootstrap);
	covers(difference);
}

static void coverage_of_kappa(void **state)
{
	/* Two judges who see the truth (win, draw or loss) with probability 0.8, and else guess: they agree
	 * by more than chance with probability 0.64, which is kappa, as both guess by the same shares. */
	int hits = 0;

	(void)state;
	for (uint64_t run = 0; run < RUNS; run++) {
		struct agreement a = {.n = 0};

		for (uint64_t i = 0; i < 300; i++) {
			int said[2], truth = (int)(3 * uniform(run, 9 * i));

			for (uint64_t j = 0; j < 2; j++)
				said[j] = uniform(run, 9 * i + 1 + j) < 0.8
						  ? truth
						  : (int)(3 * uniform(run, 9 * i + 3 + j));
			a.n++;
			a.table[said[0]][said[1]]++;
		}
		hits += holds(agreement_kappa_interval(&a, 0.95), 0.64);
	}
	covers(hits);
}

/* ---- charts */

static void charts_degenerate(void **state)
{
	struct chart c;
	struct buf out = BUF_INIT;

	(void)state;
	for (int kind = CHART_ROWS; kind <= CHART_POINTS; kind++)
		for (int n = 0; n < 3; n++) {
			chart_init(&c, kind, "t", "", "");
			for (int i = 0; i < n; i++) {
				const struct chart_point p = {.x = n == 2 ? 7 : NAN,
					.y = 1e-300,
					.low = NAN,
					.high = INFINITY};

				chart_add(&c, &p, "\xff<");
			}
			buf_clear(&out);
			chart_put_svg(&c, &out);
			chart_put_text(&c, true, &out);
			assert_int_equal(chart_check(&c, &err), 0);
			assert_int_equal(buf_check(&out, &err), 0);
			assert_null(strstr(out.data, "\"nan"));
			assert_null(strstr(out.data, "\"inf"));
			chart_release(&c);
		}
	buf_release(&out);
}

static void ranges(void **state)
{
	const double ends[][5] = {{0, 1, 0, 1, 0.2}, {0.31, 0.68, 0.3, 0.7, 0.05},
		{-7, 1234, -200, 1400, 200}, {5, 5, 4.5, 5.5, 0.2}, {0, 0, -1, 1, 0.5}};

	(void)state;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		struct chart c;
		struct chart_range r;

		chart_init(&c, CHART_ROWS, "", "", "");
		chart_add_row(&c, "", ends[i][0], NAN, NAN);
		chart_add_row(&c, "", ends[i][1], NAN, NAN);
		r = chart_xrange(&c);
		assert_true(r.low <= ends[i][0] && r.high >= ends[i][1] && r.low < r.high);
		NEAR(remainder(r.high - r.low, r.step) / r.step, 0, 1e-6);
		assert_in_range((int)lround((r.high - r.low) / r.step), 2, 10);
		chart_release(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(tables),
		cmocka_unit_test(histograms),
		cmocka_unit_test(logistic_known),
		cmocka_unit_test(winrates),
		cmocka_unit_test(kappa_published),
		cmocka_unit_test(positions),
		cmocka_unit_test(ratings_known),
		cmocka_unit_test(ratings_simulated),
		cmocka_unit_test(length_control_simulated),
		cmocka_unit_test(coverage_of_length_control),
		cmocka_unit_test(length_control_edges),
		cmocka_unit_test(mcnemar),
		cmocka_unit_test(margins_edges),
		cmocka_unit_test(margins_calibrated),
		cmocka_unit_test(coverage_of_rates),
		cmocka_unit_test(coverage_of_means),
		cmocka_unit_test(coverage_of_kappa),
		cmocka_unit_test(charts_degenerate),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
