/* Models from nothing: their initial weights, and where matrices are; and packs. */
#include "tests/unit/support/check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "model/pack.h"
#include "tests/unit/support/tiny.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- models from nothing */

static double spread(const float *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * x[i];
	return sqrt(sum / (double)n);
}

/* Normal with the config's spread, GPT-2's residual projections smaller, gains 1 or what stands for it, biases 0. */
static void random_weights_are_as_transformers_makes_them(void **state)
{
#define SIZES \
	"\"vocab_size\":501,\"hidden_size\":64,\"intermediate_size\":77,\"num_hidden_layers\":8," \
	"\"num_attention_heads\":2,\"num_key_value_heads\":1,\"initializer_range\":0.1}"
	static const struct {
		const char *config;
		double std, residual;
		float gain;
		int64_t padding;
	} all[] = {
		{"{\"model_type\":\"gpt2\",\"vocab_size\":501,\"n_embd\":64,\"n_layer\":8,\"n_head\":2,\"n_positions\":99}",
			0.02, 0.02 / 4, 1, -1},
		{"{\"model_type\":\"gptj\",\"vocab_size\":501,\"n_embd\":64,\"n_layer\":8,\"n_head\":2,\"rotary_dim\":8}",
			0.02, 0.02, 1, -1},
		{"{\"model_type\":\"llama\",\"attention_bias\":true,\"pad_token_id\":7," SIZES, 0.1, 0.1, 1, 7},
		{"{\"model_type\":\"gpt_neox\",\"pad_token_id\":7," SIZES, 0.1, 0.1, 1, -1},
		{"{\"model_type\":\"qwen3\"," SIZES, 0.1, 0.1, 1, -1},
		{"{\"model_type\":\"gemma2\"," SIZES, 0.1, 0.1, 0, 0},
		{"{\"model_type\":\"gemma3_text\",\"pad_token_id\":null," SIZES, 0.1, 0.1, 0, -1},
		{"{\"model_type\":\"phi3\"," SIZES, 0.1, 0.1, 1, -1},
		{"{\"model_type\":\"olmo2\"," SIZES, 0.1, 0.1, 1, 1},
	};
#undef SIZES

	(void)state;
	for (size_t c = 0; c < COUNT(all); c++) {
		struct model m, again, other;
		size_t same = 0;

		omp_set_num_threads(3);
		tiny_init(&m, all[c].config, 7);
		omp_set_num_threads(1);
		tiny_init(&again, all[c].config, 7);
		tiny_init(&other, all[c].config, 8);
		assert_memory_equal(m.weights, again.weights, m.params.count * sizeof *m.weights);
		for (size_t i = 0; i < m.params.n; i++) {
			const struct param *p = &m.params.param[i];
			const float *w = m.weights + p->offset;
			bool residual = p->role == ROLE_OUT || p->role == ROLE_DOWN;

			assert_ptr_equal(m.values[i].data, w);
			if (p->rank == 2)
				assert_true(fabs(spread(w, p->count) / (residual ? all[c].residual : all[c].std) - 1) < 0.05);
			for (size_t k = 0; p->rank == 2 && k < p->count; k++)
				same += w[k] == other.weights[p->offset + k];
			for (size_t k = 0; p->rank == 1 && k < p->count; k++)
				assert_true(w[k] == (p->bias ? 0 : all[c].gain));
		}
		for (int64_t t = 0; t < m.arch.vocab; t++) {
			const float *row = (const float *)model_mat(&m, ROLE_EMBED, 0).data + t * 64;

			assert_int_equal(row[0] == 0 && spread(row, 64) == 0, t == all[c].padding);
		}
		assert_true(same < m.params.count / 1000);
		/* No two tensors are alike. */
		assert_memory_not_equal(model_mat(&m, ROLE_UP, 0).data, model_mat(&m, ROLE_UP, 1).data, 4096);
		model_release(&m);
		model_release(&again);
		model_release(&other);
	}
}

static void matrices_are_found(void **state)
{
	struct model m;
	struct mat w;

	(void)state;
	tiny_init(&m, "{\"model_type\":\"gpt2\",\"vocab_size\":11,\"n_embd\":6,\"n_layer\":2,\"n_head\":2,\"n_inner\":7}", 1);
	w = model_mat(&m, ROLE_UP, 1);
	assert_ptr_equal(w.data, m.weights + params_find(&m.params, ROLE_UP, 1, false)->offset);
	assert_int_equal(w.out, 7);
	assert_int_equal(w.in, 6);
	assert_true(w.in_first);
	assert_false(model_mat(&m, ROLE_EMBED, 0).in_first);
	assert_null(model_mat(&m, ROLE_HEAD, 0).data);
	assert_null(model_mat(&m, ROLE_GATE, 0).data);
	assert_null(model_mat(&m, ROLE_Q, 0).data);
	assert_non_null(model_vector(&m, ROLE_UP, 1, true));
	assert_null(model_vector(&m, ROLE_EMBED, 0, true));
	assert_ptr_not_equal(model_vector(&m, ROLE_NORM1, 0, false), model_vector(&m, ROLE_NORM1, 1, false));
	model_release(&m);
	tiny_init(&m, "{\"model_type\":\"llama\",\"vocab_size\":11,\"hidden_size\":8,\"num_hidden_layers\":2,"
		 "\"intermediate_size\":7,\"num_attention_heads\":2}", 1);
	assert_false(model_mat(&m, ROLE_UP, 1).in_first);
	assert_non_null(model_mat(&m, ROLE_HEAD, 0).data);
	assert_null(model_mat(&m, ROLE_PLACES, 0).data);
	assert_null(model_mat(&m, ROLE_QKV, 0).data);
	assert_null(model_vector(&m, ROLE_NORM1, 0, true));
	assert_null(model_vector(&m, ROLE_Q, 0, true));
	model_release(&m);
	tiny_init(&m, "{\"model_type\":\"phi3\",\"vocab_size\":11,\"hidden_size\":8,\"num_hidden_layers\":2,"
		 "\"intermediate_size\":7,\"num_attention_heads\":2}", 1);
	w = model_mat(&m, ROLE_UP, 1); /* the lower half of gate_up_proj */
	assert_ptr_equal(w.data, m.weights + params_find(&m.params, ROLE_GATE_UP, 1, false)->offset + 7 * 8);
	assert_int_equal(w.out, 7);
	assert_ptr_equal(model_mat(&m, ROLE_GATE, 1).data, (const float *)w.data - 7 * 8);
	model_release(&m);
	tiny_init(&m, "{\"model_type\":\"gptj\",\"vocab_size\":11,\"n_embd\":8,\"n_layer\":1,\"n_head\":2,\"rotary_dim\":2,"
		 "\"tie_word_embeddings\":true}", 1);
	assert_null(model_mat(&m, ROLE_HEAD, 0).data);
	assert_non_null(model_vector(&m, ROLE_HEAD, 0, true));
	model_release(&m);
}

/* ---- packs */

static void check_ints(const char *what, const int32_t *got, const int32_t *want, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (got[i] != want[i])
			fail_msg("%s %lld is %d, should be %d", what, (long long)i, (int)got[i], (int)want[i]);
}

static void packs(void **state)
{
	static const int32_t tokens[] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
	static const int64_t pair[] = {0, 3, 6, 7}, one[] = {7, 9, 12}, bare[] = {4, 4, 7, 8},
			     three[] = {1, 2, 2, 4, 8}, none[4], first[] = {1, 1}, some[] = {0, 2, 1}, all[] = {3};
	struct pack p = PACK_INIT;
	struct err err = ERR_INIT;

	(void)state;
	/* Two completions, of three tokens and of one, whose only token is no input at all. */
	assert_int_equal(pack_rows(pair, 2), 3 + 2 + 0);
	assert_int_equal(pack_add(&p, tokens, pair, 2, none, &err), 0);
	assert_int_equal(p.rows, 5);
	check_ints("token", p.token, (int32_t[]){10, 11, 12, 13, 14}, 5);
	check_ints("position", p.pos, (int32_t[]){0, 1, 2, 3, 4}, 5);
	assert_int_equal(p.groups, 1);
	assert_int_equal(p.spans, 3);
	assert_int_equal(p.group[0], 0);
	assert_int_equal(p.group[1], 3);
	assert_memory_equal(p.span, ((struct span[]){{0, 3, 0, 0}, {3, 2, 0, 3}, {5, 0, 0, 3}}), 3 * sizeof *p.span);
	assert_int_equal(p.counted, 4);
	check_ints("target", p.target, (int32_t[]){13, 14, 15, 16}, 4);
	assert_memory_equal(p.row, ((int64_t[]){2, 3, 4, 2}), 4 * sizeof *p.row); /* both begin at the prompt's end */
	assert_int_equal(p.longest, 6);

	/* One completion, behind it. */
	assert_int_equal(pack_add(&p, tokens, one, 1, none, &err), 0);
	assert_int_equal(p.rows, 5 + 4);
	check_ints("token", p.token + 5, (int32_t[]){17, 18, 19, 20}, 4);
	check_ints("position", p.pos + 5, (int32_t[]){0, 1, 2, 3}, 4);
	assert_int_equal(p.group[1], 3);
	assert_int_equal(p.group[2], 5);
	assert_memory_equal(p.span + 3, ((struct span[]){{5, 2, 5, 0}, {7, 2, 5, 2}}), 2 * sizeof *p.span);
	assert_memory_equal(p.row + 4, ((int64_t[]){6, 7, 8}), 3 * sizeof *p.row);
	check_ints("target", p.target + 4, (int32_t[]){19, 20, 21}, 3);
	assert_int_equal(p.longest, 6);

	/* No prompt: a completion's first token is given, not counted. */
	pack_clear(&p);
	assert_int_equal(p.rows + p.spans + p.groups + p.counted + p.longest, 0);
	assert_int_equal(pack_rows(bare, 2), 0 + 2 + 0);
	assert_int_equal(pack_add(&p, tokens, bare, 2, first, &err), 0);
	check_ints("token", p.token, (int32_t[]){14, 15}, 2);
	check_ints("position", p.pos, (int32_t[]){0, 1}, 2);
	assert_memory_equal(p.span, ((struct span[]){{0, 0, 0, 0}, {0, 2, 0, 0}, {2, 0, 0, 0}}), 3 * sizeof *p.span);
	assert_int_equal(p.counted, 2);
	assert_memory_equal(p.row, ((int64_t[]){0, 1}), 2 * sizeof *p.row);
	check_ints("target", p.target, (int32_t[]){15, 16}, 2);
	assert_int_equal(p.longest, 3);

	/* Three completions, one of them empty, the others with tokens that do not count. */
	assert_int_equal(pack_add(&p, tokens, three, 3, some, &err), 0);
	assert_int_equal(p.rows, 2 + 1 + 0 + 1 + 3);
	check_ints("token", p.token + 2, (int32_t[]){11, 12, 14, 15, 16}, 5);
	check_ints("position", p.pos + 2, (int32_t[]){0, 1, 1, 2, 3}, 5);
	assert_int_equal(p.counted, 2 + 0 + 0 + 3);
	assert_memory_equal(p.row + 2, ((int64_t[]){4, 5, 6}), 3 * sizeof *p.row);
	check_ints("target", p.target + 2, (int32_t[]){15, 16, 17}, 3);
	assert_int_equal(p.longest, 5);

	/* A completion that does not count at all. */
	pack_clear(&p);
	assert_int_equal(pack_add(&p, tokens, one, 1, all, &err), 0);
	assert_int_equal(p.counted, 0);
	assert_int_equal(p.rows, 4);
	pack_release(&p);
	assert_null(p.token);
}

static int64_t beyond(const void *limit, int64_t length)
{
	return length > *(const int64_t *)limit;
}

/* Prompts are shared by completions of a kind; what counts stays in its place. */
static void packs_are_split(void **state)
{
	static const int32_t tokens[] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20};
	static const int64_t three[] = {0, 2, 3, 7, 8}, pair[] = {8, 9, 10, 11}, none[3], limit = 4;
	struct pack p = PACK_INIT, out = PACK_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(pack_add(&p, tokens, pair, 2, none, &err), 0);
	assert_int_equal(pack_add(&p, tokens, three, 3, none, &err), 0); /* sequences of 3, 6 and 3 */
	assert_int_equal(pack_length(&p, 4), 3);
	assert_int_equal(pack_length(&p, 5), 6);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(pack_split(&out, &p, beyond, &limit, &err), 0);
		assert_int_equal(out.groups, 3);
		assert_memory_equal(out.group, ((int64_t[]){0, 3, 6, 8}), 4 * sizeof *out.group);
		assert_memory_equal(out.span,
			((struct span[]){{0, 1, 0, 0}, {1, 0, 0, 1}, {1, 0, 0, 1}, {1, 2, 1, 0}, {3, 0, 1, 2}, {3, 0, 1, 2},
				{3, 2, 3, 0}, {5, 3, 3, 2}}),
			8 * sizeof *out.span);
		assert_int_equal(out.rows, 8);
		check_ints("token", out.token, (int32_t[]){18, 10, 11, 10, 11, 13, 14, 15}, 8);
		check_ints("position", out.pos, (int32_t[]){0, 0, 1, 0, 1, 2, 3, 4}, 8);
		assert_int_equal(out.counted, p.counted);
		check_ints("target", out.target, (int32_t[]){19, 20, 12, 13, 14, 15, 16, 17}, 8);
		assert_memory_equal(out.row, ((int64_t[]){0, 0, 2, 4, 5, 6, 7, 2}), 8 * sizeof *out.row);
		assert_int_equal(out.longest, 6);
	}
	pack_release(&p);
	pack_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_weights_are_as_transformers_makes_them),
		cmocka_unit_test(matrices_are_found),
		cmocka_unit_test(packs),
		cmocka_unit_test(packs_are_split),
	};

	return cmocka_run_group_tests(tests, tiny_open, tiny_close);
}
