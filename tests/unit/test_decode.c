/*
 * Computing what comes next: rows alone against rows together, to the bit; rows that see kept keys and values
 * against whole sequences, for every family.
 */
#include "tests/unit/support/check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/decoder.h"
#include "tests/unit/support/tiny.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *const backends[] = {"reference", "cpu-base", "cpu-v3", "cpu-v4"};

#define EACH_BACKEND(ops) \
	for (size_t b_ = 0; b_ < COUNT(backends); b_++) \
		if ((ops = ops_find(backends[b_])))

static float *zeros(int64_t n)
{
	float *x = calloc((size_t)n + 1, sizeof *x);

	assert_non_null(x);
	return x;
}

/* ---- operations */

static void linear_case(int64_t rows, int64_t out, int64_t in, bool in_first, bool bias, bool add)
{
	const struct ops *ref = ops_find("reference"), *ops;
	int64_t ldx = in + 3, ldy = out + 2;
	float *x = check_random(1, rows * ldx, 1), *weights = check_random(2, out * in, 1), *b = check_random(3, out, 1);
	float *before = check_random(4, rows * ldy, 1), *want = zeros(rows * ldy), *got = zeros(rows * ldy);
	float *alone = zeros(rows * ldy);
	size_t bytes = sizeof *want * (size_t)(rows * ldy);
	struct mat w = {weights, out, in, in_first, MAT_F32, NULL, NULL};

	memcpy(want, before, bytes);
	ref->linear_forward(ref, want, ldy, x, ldx, &w, bias ? b : NULL, rows, add);
	EACH_BACKEND(ops)
	{
		omp_set_num_threads(3);
		memcpy(got, before, bytes);
		ops->linear_apart(ops, got, ldy, x, ldx, &w, bias ? b : NULL, rows, add);
		check_close("rows apart", got, want, rows * ldy, 1e-5);
		omp_set_num_threads(1);
		memcpy(alone, before, bytes);
		for (int64_t r = 0; r < rows; r++)
			ops->linear_apart(ops, alone + r * ldy, ldy, x + r * ldx, ldx, &w, bias ? b : NULL, 1, add);
		assert_memory_equal(alone, got, bytes);
	}
	free(x), free(weights), free(b), free(before), free(want), free(got), free(alone);
}

static void linear_apart(void **state)
{
	(void)state;
	linear_case(1, 1, 1, false, false, false);
	linear_case(13, 67, 83, false, true, false);
	linear_case(7, 130, 16, false, false, true);
	linear_case(26, 33, 5, false, true, true);
	linear_case(8, 64, 200, true, false, false);
	linear_case(13, 67, 83, true, true, true);
	linear_case(5, 201, 31, true, true, false);
}

/* Rows of one sequence, kept one after the other, each looking back. */
static void past_case(int64_t n, int64_t heads, int64_t kv_heads, int64_t dim, float cap, int64_t window)
{
	const struct ops *ref = ops_find("reference"), *ops;
	struct attention a = {heads, kv_heads, dim, (heads + 2 * kv_heads) * dim, dim, dim, 0.37f, cap, window};
	const struct span span = {0, n, 0, 0};
	const int64_t group[] = {0, 1};
	const struct spans s = {&span, group, 1};
	int64_t k = heads * dim, v = k + kv_heads * dim, wide = heads * dim, part = 2 * kv_heads * dim * PAST_PAGE;
	int64_t pages = (n + PAST_PAGE - 1) / PAST_PAGE, at = part;
	float *x = check_random(1, n * a.ld, 1), *want = zeros(n * wide), *got = zeros(n * wide), *lse = zeros(n * heads);
	float *alone = zeros(n * wide), *page[9];
	struct past *past = calloc((size_t)n, sizeof *past);

	assert_true(past && pages <= 9);
	for (int64_t r = 0; r < n; r++)
		past[r] = (struct past){page, r + 1};
	EACH_BACKEND(ops)
	{
		float *scratch = zeros(3 * ops->attend_scratch(ops, n, &a));

		/* What no row has written yet is not looked at. */
		for (int64_t p = 0; p < pages; p++) {
			page[p] = zeros(3 * part);
			memset(page[p], 0xff, sizeof **page * (size_t)(3 * part));
		}
		if (ops == ref)
			ops->attend_forward(ops, want, lse, x, x + k, x + v, &a, &s, scratch, NULL);
		omp_set_num_threads(1);
		for (int64_t r = 0; r < n; r++) {
			ops->keep(ops, x + r * a.ld + k, x + r * a.ld + v, &a, past + r, at, 1);
			ops->attend_past(ops, alone + r * wide, x + r * a.ld, &a, past + r, at, 1, scratch);
		}
		check_close("attention to the past", alone, want, n * wide, 1e-5);
		omp_set_num_threads(3);
		ops->keep(ops, x + k, x + v, &a, past, at, n);
		ops->attend_past(ops, got, x, &a, past, at, n, scratch);
		assert_memory_equal(got, alone, sizeof *got * (size_t)(n * wide));
		omp_set_num_threads(1);
		for (int64_t p = 0; p < pages; p++) {
			for (int64_t i = 0; i < part; i++) /* other layers' parts */
				assert_true(isnan(page[p][i]) && isnan(page[p][2 * part + i]));
			free(page[p]);
		}
		free(scratch);
	}
	free(x), free(want), free(got), free(lse), free(alone), free(past);
}

static void attend_past(void **state)
{
	(void)state;
	past_case(1, 1, 1, 1, 0, 0);
	past_case(9, 4, 2, 5, 0, 0);
	past_case(64, 3, 1, 16, 0, 0);
	past_case(65, 2, 2, 33, 0.8f, 0);
	past_case(150, 6, 2, 20, 0, 0);
	past_case(150, 2, 1, 8, 0, 64);
	past_case(200, 2, 2, 11, 1.5f, 37);
	past_case(70, 70, 1, 3, 0, 1);
}

/* ---- the decoder */

/* Several sequences of one model that grow together: some tokens at once, then one by one. */
#define SEQUENCES 3

struct growth {
	int32_t token[SEQUENCES][256];
	int64_t prompt[SEQUENCES], len[SEQUENCES];
	float *page[SEQUENCES][4];
};

static void grow_init(struct growth *g, struct decoder *d, const struct model *m, int64_t longest)
{
	for (int s = 0; s < SEQUENCES; s++) {
		g->prompt[s] = s == 1 ? 1 : longest * (s + 2) / 5; /* from its first token on; some */
		g->len[s] = decoder_room(d, g->prompt[s]) < longest - s ? decoder_room(d, g->prompt[s]) : longest - s;
		for (int64_t i = 0; i < g->len[s]; i++)
			g->token[s][i] = (int32_t)((i * i + 7 * s + i / 3) % m->arch.vocab);
		for (int p = 0; p < 4; p++)
			g->page[s][p] = zeros((int64_t)decoder_page(d));
	}
}

static void grow_release(struct growth *g)
{
	for (int s = 0; s < SEQUENCES; s++)
		for (int p = 0; p < 4; p++)
			free(g->page[s][p]);
}

/* logits[SEQUENCES][256][vocab] of the sequences from first to last, as they grow side by side. */
static void grow(struct growth *g, struct decoder *d, const struct model *m, int first, int last, float *logits)
{
	int64_t vocab = m->arch.vocab, place[SEQUENCES], n, one;
	size_t bytes = sizeof *logits * (size_t)vocab;
	struct err err = ERR_INIT;

	for (int s = first; s < last; s++) {
		if (decoder_start(d, g->token[s], g->prompt[s], g->page[s], &err))
			fail_msg("%s", err.text);
		one = 1;
		memcpy(logits + (s * 256 + g->prompt[s] - 1) * vocab, decoder_next_logits(d, 0, &one), bytes);
		place[s] = g->prompt[s];
	}
	do {
		struct past past[SEQUENCES];
		int32_t token[SEQUENCES];
		int which[SEQUENCES];

		n = 0;
		for (int s = first; s < last; s++)
			if (place[s] < g->len[s] - 1) {
				which[n] = s;
				token[n] = g->token[s][place[s]++];
				past[n++] = (struct past){g->page[s], place[s]};
			}
		if (n && decoder_next(d, token, past, n, &err))
			fail_msg("%s", err.text);
		for (int64_t i = 0; i < n; i += one) {
			const float *z;

			one = n - i;
			z = decoder_next_logits(d, i, &one);
			for (int64_t k = 0; k < one; k++)
				memcpy(logits + (which[i + k] * 256 + place[which[i + k]] - 1) * vocab, z + k * vocab, bytes);
		}
	} while (n);
}

static void decoder_case(const char *config, uint64_t seed, int64_t longest)
{
	const struct ops *ops;
	struct err err = ERR_INIT;
	struct model m;
	float *together, *alone;
	size_t bytes;

	tiny_init_rough(&m, config, seed);
	bytes = sizeof *together * (size_t)(SEQUENCES * 256 * m.arch.vocab);
	EACH_BACKEND(ops)
	{
		struct decoder *d = decoder_new(&m, ops, DECODER_NEXT, &err);
		struct growth g;

		assert_non_null(d);
		together = zeros(SEQUENCES * 256 * m.arch.vocab);
		alone = zeros(SEQUENCES * 256 * m.arch.vocab);
		grow_init(&g, d, &m, longest);
		omp_set_num_threads(3);
		grow(&g, d, &m, 0, SEQUENCES, together);
		omp_set_num_threads(1);
		for (int s = 0; s < SEQUENCES; s++)
			grow(&g, d, &m, s, s + 1, alone);
		assert_memory_equal(alone, together, bytes);

		for (int s = 0; s < SEQUENCES; s++) {
			const int64_t seg[] = {0, g.prompt[s], g.len[s]}, uncounted = 0;
			int64_t n = g.len[s] - g.prompt[s];
			struct logp_row rows[256];
			float want[256], got[256];
			struct pack p = PACK_INIT;

			assert_int_equal(pack_add(&p, g.token[s], seg, 1, &uncounted, &err), 0);
			assert_int_equal(p.counted, n);
			if (decoder_forward(d, &p, rows, &err))
				fail_msg("%s", err.text);
			for (int64_t i = 0; i < n; i++) {
				const float *z = alone + (s * 256 + g.prompt[s] - 1 + i) * m.arch.vocab;
				double sum = 0;

				for (int64_t t = 0; t < m.arch.vocab; t++)
					sum += exp(z[t]);
				want[i] = rows[i].logp;
				got[i] = (float)(z[g.token[s][g.prompt[s] + i]] - log(sum));
			}
			check_close("log-probs by steps", got, want, n, 2e-5);
			pack_release(&p);
		}
		grow_release(&g);
		decoder_free(d);
		free(together), free(alone);
	}
	model_release(&m);
}

#define LLAMA \
	"\"vocab_size\":43,\"hidden_size\":40,\"intermediate_size\":77,\"num_hidden_layers\":3," \
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"initializer_range\":0.2"

static void steps_are_whole_passes(void **state)
{
	static const char *const larger[] = {
		"{\"model_type\":\"gpt2\",\"vocab_size\":43,\"n_embd\":36,\"n_layer\":2,\"n_head\":3,\"n_positions\":200}",
		"{\"model_type\":\"llama\"," LLAMA "}",
		"{\"model_type\":\"mistral\",\"sliding_window\":70," LLAMA "}",
		"{\"model_type\":\"gemma2\",\"head_dim\":18,\"sliding_window\":9,\"query_pre_attn_scalar\":11," LLAMA "}",
		"{\"model_type\":\"llama\",\"max_position_embeddings\":90,"
		"\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}," LLAMA "}",
	};

	(void)state;
	for (size_t i = 0; i < tiny_configs; i++)
		decoder_case(tiny_config[i], i, 9);
	for (size_t i = 0; i < COUNT(larger); i++)
		decoder_case(larger[i], i, 200);
}

/* Room ends where the rotation would change, or the model's positions. */
static void room(void **state)
{
	static const struct {
		const char *config;
		int64_t n, want;
	} cases[] = {
		{"{\"model_type\":\"llama\",\"max_position_embeddings\":90," LLAMA "}", 1, 90},
		{"{\"model_type\":\"llama\",\"max_position_embeddings\":90," LLAMA "}", 89, 90},
		{"{\"model_type\":\"llama\",\"max_position_embeddings\":90," LLAMA "}", 90, 90},
		{"{\"model_type\":\"llama\",\"max_position_embeddings\":90," LLAMA "}", 100, 100},
		{"{\"model_type\":\"phi3\",\"original_max_position_embeddings\":30,\"max_position_embeddings\":90,"
		 "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1,1],\"long_factor\":[2,2,2,2,5]}," LLAMA "}",
			3, 30},
		{"{\"model_type\":\"phi3\",\"original_max_position_embeddings\":30,\"max_position_embeddings\":90,"
		 "\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1,1],\"long_factor\":[2,2,2,2,5]}," LLAMA "}",
			30, 90},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err err = ERR_INIT;
		struct decoder *d;
		struct model m;

		tiny_init(&m, cases[i].config, 1);
		d = decoder_new(&m, ops_find("cpu"), DECODER_NEXT, &err);
		assert_non_null(d);
		assert_int_equal(decoder_room(d, cases[i].n), cases[i].want);
		decoder_free(d);
		model_release(&m);
	}
}

static void what_does_not_fit_is_refused(void **state)
{
	const int32_t token[] = {1, 2, 99, 3};
	float page[4096] = {0}, *pages[] = {page};
	struct past past = {pages, 13};
	struct err err = ERR_INIT;
	struct decoder *d;
	struct model m;

	(void)state;
	tiny_init(&m, tiny_config[0], 1);
	d = decoder_new(&m, ops_find("cpu"), DECODER_NEXT, &err);
	assert_non_null(d);
	assert_true(decoder_page(d) <= COUNT(page));
	assert_int_equal(decoder_start(d, token, 4, pages, &err), -1);
	assert_int_equal(err.code, ERR_MISMATCH);
	assert_string_equal(err.text, "token 99 is outside the model's vocabulary of 19");
	err = (struct err)ERR_INIT;
	assert_int_equal(decoder_next(d, token, &past, 1, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	decoder_free(d);
	model_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linear_apart),
		cmocka_unit_test(attend_past),
		cmocka_unit_test(steps_are_whole_passes),
		cmocka_unit_test(room),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, tiny_open, tiny_close);
}
