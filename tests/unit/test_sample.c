/* Choosing tokens: what the filters leave against their definitions by sorting, and what is drawn by chi-square. */
#include "tests/unit/support/check.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/sample.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

struct entry {
	double z;
	int32_t id;
};

static int likelier(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->z != y->z ? (x->z < y->z) - (x->z > y->z) : (x->id > y->id) - (x->id < y->id);
}

/* p[vocab]: probabilities as transformers defines them, 0 for what is filtered out. */
static void define(double *p, const struct sample_rules *r, const float *logits, int64_t vocab, const int32_t *seen,
	int64_t n)
{
	struct entry *e = calloc((size_t)vocab, sizeof *e);
	double sum = 0, rest = 0;
	int64_t left = vocab;

	assert_non_null(e);
	for (int64_t i = 0; i < vocab; i++) {
		double z = (double)logits[i];
		bool found = false;

		for (int64_t k = 0; k < n; k++)
			found = found || seen[k] == i;
		if (found)
			z = z < 0 ? z * r->repetition : z / r->repetition;
		e[i] = (struct entry){z / (r->temperature == 0 ? 1 : r->temperature), (int32_t)i};
		p[i] = 0;
	}
	qsort(e, (size_t)vocab, sizeof *e, likelier);
	if (r->temperature == 0)
		left = 1;
	else if (r->top_k && r->top_k < vocab)
		for (left = r->top_k; left < vocab && e[left].z >= e[r->top_k - 1].z; left++)
			;
	for (int64_t i = 0; i < left; i++)
		sum += exp(e[i].z - e[0].z);
	/* From the least likely on, as long as what is left out is not more than 1 - top_p. */
	for (; left > 1 && r->top_p < 1 && r->temperature != 0; left--) {
		rest += exp(e[left - 1].z - e[0].z) / sum;
		if (rest > 1 - r->top_p + 1e-12)
			break;
	}
	while (left > 1 && exp(e[left - 1].z - e[0].z) < r->min_p)
		left--;
	sum = 0;
	for (int64_t i = 0; i < left; i++)
		sum += exp(e[i].z - e[0].z);
	for (int64_t i = 0; i < left; i++)
		p[e[i].id] = exp(e[i].z - e[0].z) / sum;
	free(e);
}

static const struct sample_rules all_rules[] = {
	{1, 1, 0, 1, 0},
	{1, 0, 0, 1, 0},
	{1.7, 0, 0, 1, 0},
	{1, 0.6, 0, 1, 0},
	{1, 2.5, 0, 1, 0},
	{1, 1, 1, 1, 0},
	{1, 1, 7, 1, 0},
	{1, 1, 1000000, 1, 0},
	{1, 1, 0, 0.9, 0},
	{1, 1, 0, 0.03, 0},
	{1, 1, 0, 1e-9, 0},
	{1, 1, 0, 1, 0.05},
	{1, 1, 0, 1, 1},
	{1.3, 0.8, 20, 0.95, 0.02},
	{0.5, 1.5, 5, 0.5, 0},
};

/* Weights of the choices as probabilities by token. */
static void found(double *p, const struct sampler *s, int64_t vocab)
{
	double sum = 0;

	memset(p, 0, sizeof *p * (size_t)vocab);
	for (int64_t i = 0; i < s->n; i++)
		sum += (double)s->choice[i].weight;
	for (int64_t i = 0; i < s->n; i++) {
		assert_true(p[s->choice[i].id] == 0);
		p[s->choice[i].id] = (double)s->choice[i].weight / sum;
	}
}

static void filters_are_as_defined(void **state)
{
	static const int64_t sizes[] = {1, 2, 19, 500, 3001};
	static const double spreads[] = {0.1, 1, 6};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t v = 0; v < COUNT(sizes); v++)
		for (size_t w = 0; w < COUNT(spreads); w++)
			for (size_t r = 0; r < COUNT(all_rules); r++) {
				int64_t vocab = sizes[v];
				float *logits = check_random(v * 7 + w, vocab, spreads[w]);
				double *want = calloc((size_t)vocab, sizeof *want), *got = calloc((size_t)vocab, sizeof *got);
				int32_t seen[] = {0, (int32_t)(vocab / 2), 0, (int32_t)(vocab - 1)};
				struct sampler s;

				assert_true(want && got);
				assert_int_equal(sampler_init(&s, &all_rules[r], vocab, &err), 0);
				define(want, &all_rules[r], logits, vocab, seen, COUNT(seen));
				for (int again = 0; again < 2; again++) {
					sampler_weigh(&s, logits, seen, COUNT(seen));
					found(got, &s, vocab);
					for (int64_t i = 0; i < vocab; i++)
						if (fabs(got[i] - want[i]) > 1e-5 * want[i] || (got[i] > 0) != (want[i] > 0))
							fail_msg("rules %zu, vocabulary %lld, token %lld: %g, should be %g", r,
								(long long)vocab, (long long)i, got[i], want[i]);
				}
				sampler_release(&s);
				free(logits), free(want), free(got);
			}
}

/* Equal logits: top-k keeps all that are equal to the k-th, top-p the first of them. */
static void ties(void **state)
{
	static const float logits[] = {0, 3, 1, 3, 1, 1, 0, 1};
	static const struct {
		struct sample_rules rules;
		int64_t n;
		bool kept[8];
	} cases[] = {
		{{1, 0, 0, 1, 0}, 1, {0, 1}},
		{{1, 1, 1, 1, 0}, 2, {0, 1, 0, 1}},
		{{1, 1, 3, 1, 0}, 6, {0, 1, 1, 1, 1, 1, 0, 1}},
		{{1, 1, 0, 0.2, 0}, 1, {0, 1}},
		{{1, 1, 0, 0.5, 0}, 2, {0, 1, 0, 1}},
		{{1, 1, 0, 0.85, 0}, 4, {0, 1, 1, 1, 1}},
		{{1, 1, 3, 0.88, 0.2}, 2, {0, 1, 0, 1}},
	};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sampler s;

		assert_int_equal(sampler_init(&s, &cases[i].rules, 8, &err), 0);
		sampler_weigh(&s, logits, NULL, 0);
		assert_int_equal(s.n, cases[i].n);
		for (int64_t k = 0; k < s.n; k++)
			assert_true(cases[i].kept[s.choice[k].id]);
		sampler_release(&s);
	}
}

/* Of 20,000 draws, chi-square against the definition: within the quantiles of 1e-5 and 1 - 1e-5, about. */
static void draws_are_as_likely_as_they_should_be(void **state)
{
	enum { VOCAB = 41, DRAWS = 20000 };
	float *logits = check_random(3, VOCAB, 1);
	const int32_t seen[] = {5, 9};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t r = 0; r < COUNT(all_rules); r++) {
		double p[VOCAB], chi = 0, freedom = -1;
		int64_t count[VOCAB] = {0};
		struct sampler s;

		assert_int_equal(sampler_init(&s, &all_rules[r], VOCAB, &err), 0);
		define(p, &all_rules[r], logits, VOCAB, seen, 2);
		sampler_weigh(&s, logits, seen, 2);
		for (uint64_t i = 0; i < DRAWS; i++)
			count[sampler_draw(&s, rng_uniform(11, r, i))]++;
		for (int64_t i = 0; i < VOCAB; i++) {
			double expected = p[i] * DRAWS, off = (double)count[i] - expected;

			if (p[i] == 0) {
				assert_int_equal(count[i], 0);
				continue;
			}
			chi += off * off / expected;
			freedom++;
		}
		if (freedom > 0 && fabs(chi - freedom) > 4.5 * sqrt(2 * freedom) + 8)
			fail_msg("rules %zu: chi-square %g of %g degrees of freedom", r, chi, freedom);
		/* The ends of u. */
		assert_true(p[sampler_draw(&s, 0)] > 0);
		assert_true(p[sampler_draw(&s, 1 - 1e-16)] > 0);
		sampler_release(&s);
	}
	free(logits);
}

/* A broken model's logits do no harm: the id is one of the vocabulary's. */
static void not_a_number(void **state)
{
	float logits[] = {NAN, 1, NAN, 2};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t r = 0; r < COUNT(all_rules); r++) {
		struct sampler s;

		assert_int_equal(sampler_init(&s, &all_rules[r], 4, &err), 0);
		for (int i = 0; i < 2; i++) {
			logits[1] = logits[3] = i ? NAN : 1;
			sampler_weigh(&s, logits, NULL, 0);
			assert_in_range(sampler_draw(&s, 0.5), 0, 3);
		}
		sampler_release(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_are_as_defined),
		cmocka_unit_test(ties),
		cmocka_unit_test(draws_are_as_likely_as_they_should_be),
		cmocka_unit_test(not_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
