/* lib/eval: verdicts, ratings, length control, what is behind margins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "eval/bradley_terry.h"
#include "eval/chart.h"
#include "eval/histogram.h"
#include "eval/length_control.h"
#include "eval/logistic.h"
#include "eval/margins.h"
#include "eval/paired.h"
#include "eval/table.h"
#include "eval/verdicts.h"
#include "tests/unit/support/simulate.h"

#define NEAR(a, b, eps) assert_true(fabs((a) - (b)) <= (eps))

static struct err err;

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

static struct winrate count_wins(const struct verdicts *v, int model, int base)
{
	struct winrate w;

	winrate_count(&w, v, &(struct winrate_choice){model, base, -1});
	return w;
}

static void winrates(void **state)
{
	struct verdicts v = {.n = 0};
	struct winrate w = count_wins(&v, 0, -1);
	struct stats_interval x, y;

	(void)state;
	assert_int_equal(verdicts_common_base(&v), -1);
	assert_true(isnan(winrate_percent(&w)) && isnan(winrate_standard_error(&w)) &&
		    isnan(winrate_discrete(&w)) && isnan(stats_rate_wilson(&w.items, 0.95).low));
	names_add(&v.models, "a", 1, &err);
	names_add(&v.models, "b", 1, &err);
	add(&v, 0, 1, 0, 0, 1, FIRST_UNKNOWN);
	assert_int_equal(verdicts_common_base(&v), 0);
	w = count_wins(&v, 1, 0);
	x = stats_rate_wilson(&w.items, 0.95);
	assert_true(x.high == 1 && x.low > 0.15 && x.low < 0.25);
	assert_true(winrate_percent(&w) == 100 && isnan(winrate_standard_error(&w)));
	add(&v, 1, 0, 1, 0, 0.25, FIRST_BASE); /* 0.75 for b */
	add(&v, 0, 1, 1, 0, 0.5, FIRST_UNKNOWN);
	verdicts_sort(&v);
	w = count_wins(&v, 1, 0);
	NEAR(winrate_percent(&w), 75, 1e-12);
	NEAR(winrate_standard_error(&w), 100 * 0.25 / sqrt(3), 1e-12);
	NEAR(winrate_discrete(&w), 100 * 2.5 / 3, 1e-12);
	NEAR(stats_rate_value(&w.discrete), 2.5 / 3, 1e-12);
	assert_int_equal(w.n_wins, 2);
	assert_int_equal(w.items.clusters, 2);
	w = count_wins(&v, 0, 1);
	NEAR(winrate_percent(&w), 25, 1e-12);
	x = stats_rate_wilson(&w.items, 0.95);
	w = count_wins(&v, 1, -1);
	y = stats_rate_wilson(&w.items, 0.95);
	NEAR(x.low, 1 - y.high, 1e-12);
	/* Verdicts without an item are items of their own; an item's, of all opponents, are one. */
	names_add(&v.models, "c", 1, &err);
	add(&v, 0, 1, -1, 0, 1, FIRST_UNKNOWN);
	add(&v, 0, 1, -1, 0, 1, FIRST_UNKNOWN);
	add(&v, 2, 1, 0, 0, 0, FIRST_UNKNOWN);
	verdicts_sort(&v);
	w = count_wins(&v, 1, -1);
	assert_int_equal(w.n_total, 6);
	assert_int_equal(w.items.clusters, 4);
	verdicts_release(&v);
}

static void kappa_published(void **state)
{
	/* The example of J. Fleiss, J. Cohen and B. Everitt, "Large sample standard errors of kappa and weighted
	 * kappa", Psychological Bulletin 72, 1969: kappa 0.429, its variance 0.002885, of 200 subjects. */
	const uint64_t counts[9] = {106, 10, 4, 22, 28, 10, 2, 12, 6};
	struct agreement a = {.n = 0};
	struct stats_interval i;

	(void)state;
	assert_true(isnan(agreement_rate(&a)) && isnan(agreement_kappa(&a)));
	for (int cell = 0; cell < 9; cell++)
		for (uint64_t n = 0; n < counts[cell]; n++) {
			uint64_t one[9] = {0};

			one[cell] = 1;
			agreement_add(&a, one);
		}
	assert_int_equal(a.n, 200);
	assert_int_equal(a.items, 200);
	NEAR(agreement_rate(&a), 0.7, 1e-12);
	NEAR(agreement_kappa(&a), 0.429, 0.0005);
	/* At this size Wilson's interval is as wide as theirs, but for its own z^2 trials. */
	i = agreement_kappa_interval(&a, 0.95);
	NEAR(i.high - i.low, 2 * 1.959964 * sqrt(0.002885), 0.004);
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
	assert_true(p.first.clusters == 10 && p.first.hits == 20 && p.first.trials == 20);
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
			double base = 1000, length = 1000 + 300 * simulate_normal(1, at) + 60 * m;
			double p = logistic_sigmoid(strength[m] + simulate_normal(2, (uint64_t)i) +
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
			sum += 100 * logistic_sigmoid(strength[m] + simulate_normal(2, (uint64_t)i)) / ITEMS;
		assert_int_equal(length_control_rate(&l, m, 0.95, &rate, &err), 0);
		NEAR(rate.percent, sum, 1.5);
		assert_true(simulate_holds(rate.interval, rate.percent) && rate.length < 0);
	}
	assert_int_equal(length_control_rate(&l, 0, 0.95, &rate, &err), 0);
	assert_true(isnan(rate.percent));
	length_control_release(&l);
	verdicts_release(&v);
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
	assert_int_equal(m.fell[1][1].wins + m.fell[0][1].wins, 20);
	margins_release(&m);
}

/* Chosen are better with probability sigmoid(3 margin): the beta that is missing is found. */
static void margins_calibrated(void **state)
{
	struct margins m;

	(void)state;
	margins_init(&m);
	for (uint64_t i = 0; i < 20000; i++) {
		double x = 0.5 * simulate_normal(3, i);
		const struct margins_pair p = {
			.margin = simulate_uniform(4, i) < logistic_sigmoid(3 * x) ? x : -x,
			.chosen_tokens = 1,
			.rejected_tokens = 1};

		assert_int_equal(margins_add(&m, &p, &err), 0);
		margins_close_record(&m);
	}
	NEAR(margins_best_factor(&m), 3, 0.2);
	assert_true(margins_calibration_error(&m) > 0.1);
	margins_release(&m);
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
		cmocka_unit_test(length_control_simulated),
		cmocka_unit_test(length_control_edges),
		cmocka_unit_test(mcnemar),
		cmocka_unit_test(margins_edges),
		cmocka_unit_test(margins_calibrated),
		cmocka_unit_test(charts_degenerate),
		cmocka_unit_test(ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
