/*
 * Models: configs read and refused, parameters by name, packs, and the decoder: its whole gradient against
 * central differences, the fast backend against the reference, prompts shared, threads, memory.
 */
#include "tests/unit/support/check.h"

#include <malloc.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "model/decoder.h"
#include "model/rope.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- configs */

static int describe(struct arch *a, const char *text, struct err *err)
{
	struct json *config = json_parse(text, strlen(text), err);
	int rc;

	assert_non_null(config);
	rc = arch_describe(a, config, err);
	json_free(config);
	return rc;
}

static void good(struct arch *a, const char *text)
{
	struct err err = ERR_INIT;

	if (describe(a, text, &err))
		fail_msg("%s: %s", text, err.text);
}

static void configs_have_defaults(void **state)
{
	struct arch a;

	(void)state;
	good(&a, "{\"model_type\":\"gpt2\",\"n_inner\":null,\"n_ctx\":7,\"attn_pdrop\":0.1}");
	assert_string_equal(a.family->model_type, "gpt2");
	assert_int_equal(a.vocab, 50257);
	assert_int_equal(a.hidden, 768);
	assert_int_equal(a.layers, 12);
	assert_int_equal(a.heads, 12);
	assert_int_equal(a.kv_heads, 12);
	assert_int_equal(a.head_dim, 64);
	assert_int_equal(a.inner, 3072);
	assert_int_equal(a.positions, 1024);
	assert_int_equal(a.norm, NORM_LAYER);
	assert_int_equal(a.act, ACT_GELU_TANH);
	assert_true(a.eps == 1e-5f && a.attention_scale == 0.125f && a.init_std == 0.02);
	assert_true(a.tied && a.places && a.in_first && a.fused_qkv && a.init_residual && !a.gated);
	assert_true(a.qkv_bias && a.out_bias && a.mlp_bias && a.norm_bias);
	assert_int_equal(a.rotary, 0);
	arch_release(&a);

	good(&a, "{\"model_type\":\"llama\",\"head_dim\":null,\"num_key_value_heads\":null,\"rope_scaling\":null,"
		 "\"pad_token_id\":null}");
	assert_string_equal(a.family->model_type, "llama");
	assert_int_equal(a.vocab, 32000);
	assert_int_equal(a.hidden, 4096);
	assert_int_equal(a.layers, 32);
	assert_int_equal(a.heads, 32);
	assert_int_equal(a.kv_heads, 32);
	assert_int_equal(a.head_dim, 128);
	assert_int_equal(a.inner, 11008);
	assert_int_equal(a.positions, 2048);
	assert_int_equal(a.norm, NORM_RMS);
	assert_int_equal(a.act, ACT_SILU);
	assert_true(a.eps == 1e-6f && a.attention_scale == 1 / sqrtf(128) && a.init_std == 0.02);
	assert_true(!a.tied && !a.places && !a.in_first && !a.fused_qkv && !a.init_residual && a.gated);
	assert_true(!a.qkv_bias && !a.out_bias && !a.mlp_bias && !a.norm_bias);
	assert_int_equal(a.rotary, 128);
	for (int i = 0; i < 64; i++)
		assert_true(fabs(a.frequencies[i] / pow(10000, -i / 64.0) - 1) < 1e-14);
	arch_release(&a);
}

static void configs_are_followed(void **state)
{
	static const struct {
		const char *name;
		enum act_kind kind;
	} acts[] = {{"gelu", ACT_GELU}, {"gelu_new", ACT_GELU_TANH}, {"gelu_pytorch_tanh", ACT_GELU_TANH},
		{"gelu_fast", ACT_GELU_TANH}, {"relu", ACT_RELU}, {"silu", ACT_SILU}, {"swish", ACT_SILU}};
	struct arch a;
	char text[300];

	(void)state;
	good(&a, "{\"model_type\":\"gpt2\",\"vocab_size\":11,\"n_embd\":12,\"n_layer\":3,\"n_head\":4,\"n_positions\":9,"
		 "\"n_inner\":13,\"layer_norm_epsilon\":0.5,\"tie_word_embeddings\":false,"
		 "\"scale_attn_weights\":false,\"initializer_range\":0.25}");
	assert_int_equal(a.vocab, 11);
	assert_int_equal(a.head_dim, 3);
	assert_int_equal(a.inner, 13);
	assert_int_equal(a.positions, 9);
	assert_true(a.eps == 0.5f && !a.tied && a.attention_scale == 1 && a.init_std == 0.25);
	arch_release(&a);
	good(&a, "{\"model_type\":\"llama\",\"hidden_size\":12,\"num_attention_heads\":6,\"num_key_value_heads\":3,"
		 "\"head_dim\":10,\"attention_bias\":true,\"mlp_bias\":true,\"tie_word_embeddings\":true}");
	assert_int_equal(a.head_dim, 10);
	assert_int_equal(a.kv_heads, 3);
	assert_true(a.qkv_bias && a.out_bias && a.mlp_bias && a.tied);
	arch_release(&a);
	for (size_t i = 0; i < COUNT(acts); i++) {
		snprintf(text, sizeof text, "{\"model_type\":\"gpt2\",\"activation_function\":\"%s\"}", acts[i].name);
		good(&a, text);
		assert_int_equal(a.act, acts[i].kind);
		arch_release(&a);
		snprintf(text, sizeof text, "{\"model_type\":\"llama\",\"hidden_act\":\"%s\"}", acts[i].name);
		good(&a, text);
		assert_int_equal(a.act, acts[i].kind);
		arch_release(&a);
	}
}

/* Values by the yardstick in PyTorch: ../shared/oracle/lm.py, rope_frequencies(). */
static void rotations(void **state)
{
	static const double llama3[] = {1.0, 0.19387107718105473, 0.022228492625486533, 0.009373677616655697,
		0.003952847075210474, 0.001666901790204155, 0.0007029266564879364, 0.00029642171320770687};
	static const char *const spellings[] = {
		"\"rope_theta\":1000,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
		"\"high_freq_factor\":4,\"original_max_position_embeddings\":32}",
		"\"rope_theta\":1000,\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1.0,"
		"\"high_freq_factor\":4.0},\"original_max_position_embeddings\":32",
		"\"rope_parameters\":{\"rope_theta\":1000,\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
		"\"high_freq_factor\":4,\"original_max_position_embeddings\":32}",
		"\"rope_theta\":5,\"rope_parameters\":{\"rope_theta\":1000,\"rope_type\":\"llama3\",\"factor\":8,"
		"\"low_freq_factor\":1,\"high_freq_factor\":4},\"max_position_embeddings\":32",
		"\"rope_theta\":1000,\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":3},"
		"\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
		"\"high_freq_factor\":4,\"original_max_position_embeddings\":32}",
	};
	struct arch a;
	char text[600];
	float turn[3 * 16];

	(void)state;
	for (size_t s = 0; s < COUNT(spellings); s++) {
		snprintf(text, sizeof text,
			"{\"model_type\":\"llama\",\"hidden_size\":32,\"num_attention_heads\":2,%s}", spellings[s]);
		good(&a, text);
		assert_int_equal(a.rotary, 16);
		for (int i = 0; i < 8; i++)
			assert_true(fabs(a.frequencies[i] / llama3[i] - 1) < 1e-12);
		arch_release(&a);
	}
	good(&a, "{\"model_type\":\"llama\",\"hidden_size\":32,\"num_attention_heads\":2,\"rope_theta\":1e6,"
		 "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5}}");
	for (int i = 0; i < 8; i++)
		assert_true(fabs(a.frequencies[i] * 2.5 / pow(1e6, -i / 8.0) - 1) < 1e-12);
	rope_turn(&a, turn, 3);
	for (int p = 0; p < 3; p++)
		for (int i = 0; i < 8; i++) {
			assert_true(turn[2 * (8 * p + i)] == (float)cos(p * a.frequencies[i]));
			assert_true(turn[2 * (8 * p + i) + 1] == (float)sin(p * a.frequencies[i]));
		}
	arch_release(&a);
}

/* Each key that is wrong is named. */
static void bad_configs_are_refused(void **state)
{
	static const char gpt2[] = "\"model_type\":\"gpt2\",", llama[] = "\"model_type\":\"llama\",";
	static const struct {
		const char *family, *rest;
		int code;
		const char *says;
	} bad[] = {
		{"", "\"vocab_size\":5", ERR_MISMATCH, "(missing)"},
		{"", "\"model_type\":\"gpt3\"", ERR_MISMATCH, "'gpt3' is not supported; these are: gpt2, llama"},
		{"", "\"model_type\":5", ERR_MISMATCH, "(missing)"},
		{gpt2, "\"vocab_size\":0", ERR_CORRUPT, "config.json (gpt2): 'vocab_size'"},
		{gpt2, "\"vocab_size\":-1", ERR_CORRUPT, "'vocab_size'"},
		{gpt2, "\"vocab_size\":1.5", ERR_CORRUPT, "'vocab_size'"},
		{gpt2, "\"vocab_size\":\"5\"", ERR_CORRUPT, "'vocab_size'"},
		{gpt2, "\"vocab_size\":2147483648", ERR_CORRUPT, "'vocab_size'"},
		{gpt2, "\"vocab_size\":true", ERR_CORRUPT, "'vocab_size'"},
		{gpt2, "\"n_embd\":0", ERR_CORRUPT, "'n_embd'"},
		{gpt2, "\"n_layer\":[]", ERR_CORRUPT, "'n_layer'"},
		{gpt2, "\"n_head\":-3", ERR_CORRUPT, "'n_head'"},
		{gpt2, "\"n_head\":5", ERR_CORRUPT, "'n_embd' 768 is not a multiple of 'n_head' 5"},
		{gpt2, "\"n_positions\":0", ERR_CORRUPT, "'n_positions'"},
		{gpt2, "\"n_inner\":0", ERR_CORRUPT, "'n_inner'"},
		{gpt2, "\"activation_function\":\"mish\"", ERR_MISMATCH, "'activation_function' is 'mish'"},
		{gpt2, "\"activation_function\":3", ERR_MISMATCH, "'activation_function'"},
		{gpt2, "\"layer_norm_epsilon\":\"small\"", ERR_CORRUPT, "'layer_norm_epsilon'"},
		{gpt2, "\"tie_word_embeddings\":1", ERR_CORRUPT, "'tie_word_embeddings'"},
		{gpt2, "\"scale_attn_weights\":\"yes\"", ERR_CORRUPT, "'scale_attn_weights'"},
		{gpt2, "\"scale_attn_by_inverse_layer_idx\":0", ERR_CORRUPT, "'scale_attn_by_inverse_layer_idx'"},
		{gpt2, "\"scale_attn_by_inverse_layer_idx\":true", ERR_MISMATCH, "'scale_attn_by_inverse_layer_idx'"},
		{gpt2, "\"initializer_range\":[0.02]", ERR_CORRUPT, "'initializer_range'"},
		{llama, "\"vocab_size\":0", ERR_CORRUPT, "config.json (llama): 'vocab_size'"},
		{llama, "\"hidden_size\":0", ERR_CORRUPT, "'hidden_size'"},
		{llama, "\"intermediate_size\":1e10", ERR_CORRUPT, "'intermediate_size'"},
		{llama, "\"num_hidden_layers\":0", ERR_CORRUPT, "'num_hidden_layers'"},
		{llama, "\"num_attention_heads\":0", ERR_CORRUPT, "'num_attention_heads'"},
		{llama, "\"num_key_value_heads\":0", ERR_CORRUPT, "'num_key_value_heads'"},
		{llama, "\"num_key_value_heads\":5", ERR_CORRUPT, "32 heads are not a multiple of 5"},
		{llama, "\"num_key_value_heads\":64", ERR_CORRUPT, "32 heads are not a multiple of 64"},
		{llama, "\"head_dim\":0", ERR_CORRUPT, "'head_dim'"},
		{llama, "\"hidden_size\":16", ERR_CORRUPT, "'head_dim' is missing"},
		{llama, "\"head_dim\":5", ERR_CORRUPT, "rotation of 5 of 5 features"},
		{llama, "\"max_position_embeddings\":0", ERR_CORRUPT, "'max_position_embeddings'"},
		{llama, "\"hidden_act\":\"quick_gelu\"", ERR_MISMATCH, "'hidden_act' is 'quick_gelu'"},
		{llama, "\"rms_norm_eps\":{}", ERR_CORRUPT, "'rms_norm_eps'"},
		{llama, "\"tie_word_embeddings\":\"no\"", ERR_CORRUPT, "'tie_word_embeddings'"},
		{llama, "\"attention_bias\":0", ERR_CORRUPT, "'attention_bias'"},
		{llama, "\"mlp_bias\":0", ERR_CORRUPT, "'mlp_bias'"},
		{llama, "\"initializer_range\":\"x\"", ERR_CORRUPT, "'initializer_range'"},
		{llama, "\"rope_theta\":0", ERR_CORRUPT, "'rope_theta'"},
		{llama, "\"rope_theta\":-5", ERR_CORRUPT, "'rope_theta'"},
		{llama, "\"rope_theta\":\"big\"", ERR_CORRUPT, "'rope_theta'"},
		{llama, "\"rope_parameters\":{\"rope_theta\":0}", ERR_CORRUPT, "'rope_theta'"},
		{llama, "\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}", ERR_MISMATCH, "rope_type 'dynamic'"},
		{llama, "\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2}", ERR_MISMATCH, "rope_type 'yarn'"},
		{llama, "\"rope_parameters\":{\"rope_type\":\"longrope\"}", ERR_MISMATCH, "rope_type 'longrope'"},
		{llama, "\"rope_scaling\":{\"type\":\"linear\"}", ERR_CORRUPT, "'factor' is missing"},
		{llama, "\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}", ERR_CORRUPT, "scaling by 0"},
		{llama, "\"rope_scaling\":{\"type\":\"linear\",\"factor\":\"2\"}", ERR_CORRUPT, "'factor'"},
		{llama, "\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"high_freq_factor\":4}", ERR_CORRUPT,
			"'low_freq_factor' is missing"},
		{llama, "\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1}", ERR_CORRUPT,
			"'high_freq_factor' is missing"},
		{llama, "\"num_hidden_layers\":100001", ERR_LIMIT, "100001 layers"},
		{llama, "\"hidden_size\":33554432", ERR_LIMIT, "33554432 features"},
		{llama, "\"head_dim\":2097152", ERR_LIMIT, "heads of 2097152"},
		{llama, "\"intermediate_size\":2147483647", ERR_LIMIT, "too many"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct err err = ERR_INIT;
		struct arch a;
		char text[400];

		snprintf(text, sizeof text, "{%s%s}", bad[i].family, bad[i].rest);
		if (describe(&a, text, &err) == 0)
			fail_msg("%s: not refused", text);
		if (err.code != bad[i].code || !strstr(err.text, bad[i].says))
			fail_msg("%s: %d instead of %d: %s", text, err.code, bad[i].code, err.text);
		arch_release(&a);
	}
}

/* ---- parameters */

struct shape {
	const char *name;
	int64_t d0, d1; /* d1 0: a vector */
};

static void check_params(const char *config, const struct shape *want, size_t n)
{
	struct params p;
	struct arch a;
	struct err err = ERR_INIT;
	size_t end = 0;

	good(&a, config);
	assert_int_equal(params_init(&p, &a, &err), 0);
	assert_int_equal(p.n, n);
	for (size_t i = 0; i < n; i++) {
		const struct param *q = &p.param[i];

		assert_string_equal(q->name, want[i].name);
		assert_int_equal(q->rank, want[i].d1 ? 2 : 1);
		assert_int_equal(q->shape[0], want[i].d0);
		if (want[i].d1)
			assert_int_equal(q->shape[1], want[i].d1);
		assert_int_equal(q->count, want[i].d0 * (want[i].d1 ? want[i].d1 : 1));
		assert_int_equal(q->decay, want[i].d1 != 0);
		assert_int_equal(q->offset % 16, 0);
		assert_true(q->offset >= end && q->offset < end + 16);
		end = q->offset + q->count;
		assert_ptr_equal(params_find(&p, q->role, q->layer, q->bias), q);
	}
	assert_true(p.count >= end && p.count < end + 16);
	params_release(&p);
	arch_release(&a);
}

static void parameters_of_gpt2(void **state)
{
	static const struct shape want[] = {{"transformer.wte.weight", 11, 6}, {"transformer.wpe.weight", 9, 6},
		{"transformer.h.0.ln_1.weight", 6, 0}, {"transformer.h.0.ln_1.bias", 6, 0},
		{"transformer.h.0.attn.c_attn.weight", 6, 18}, {"transformer.h.0.attn.c_attn.bias", 18, 0},
		{"transformer.h.0.attn.c_proj.weight", 6, 6}, {"transformer.h.0.attn.c_proj.bias", 6, 0},
		{"transformer.h.0.ln_2.weight", 6, 0}, {"transformer.h.0.ln_2.bias", 6, 0},
		{"transformer.h.0.mlp.c_fc.weight", 6, 7}, {"transformer.h.0.mlp.c_fc.bias", 7, 0},
		{"transformer.h.0.mlp.c_proj.weight", 7, 6}, {"transformer.h.0.mlp.c_proj.bias", 6, 0},
		{"transformer.ln_f.weight", 6, 0}, {"transformer.ln_f.bias", 6, 0}, {"lm_head.weight", 11, 6}};

	(void)state;
#define CONFIG \
	"{\"model_type\":\"gpt2\",\"vocab_size\":11,\"n_embd\":6,\"n_layer\":1,\"n_head\":2,\"n_positions\":9,\"n_inner\":7"
	check_params(CONFIG "}", want, COUNT(want) - 1);
	check_params(CONFIG ",\"tie_word_embeddings\":false}", want, COUNT(want));
#undef CONFIG
}

static void parameters_of_llama(void **state)
{
	static const struct shape want[] = {{"model.embed_tokens.weight", 11, 6},
		{"model.layers.0.input_layernorm.weight", 6, 0}, {"model.layers.0.self_attn.q_proj.weight", 16, 6},
		{"model.layers.0.self_attn.k_proj.weight", 8, 6}, {"model.layers.0.self_attn.v_proj.weight", 8, 6},
		{"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_proj.weight", 7, 6}, {"model.layers.0.mlp.up_proj.weight", 7, 6},
		{"model.layers.0.mlp.down_proj.weight", 6, 7}, {"model.layers.1.input_layernorm.weight", 6, 0},
		{"model.layers.1.self_attn.q_proj.weight", 16, 6}, {"model.layers.1.self_attn.k_proj.weight", 8, 6},
		{"model.layers.1.self_attn.v_proj.weight", 8, 6}, {"model.layers.1.self_attn.o_proj.weight", 6, 16},
		{"model.layers.1.post_attention_layernorm.weight", 6, 0},
		{"model.layers.1.mlp.gate_proj.weight", 7, 6}, {"model.layers.1.mlp.up_proj.weight", 7, 6},
		{"model.layers.1.mlp.down_proj.weight", 6, 7}, {"model.norm.weight", 6, 0}, {"lm_head.weight", 11, 6}};
	static const struct shape biased[] = {{"model.embed_tokens.weight", 11, 6},
		{"model.layers.0.input_layernorm.weight", 6, 0}, {"model.layers.0.self_attn.q_proj.weight", 16, 6},
		{"model.layers.0.self_attn.q_proj.bias", 16, 0}, {"model.layers.0.self_attn.k_proj.weight", 8, 6},
		{"model.layers.0.self_attn.k_proj.bias", 8, 0}, {"model.layers.0.self_attn.v_proj.weight", 8, 6},
		{"model.layers.0.self_attn.v_proj.bias", 8, 0}, {"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.self_attn.o_proj.bias", 6, 0}, {"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_proj.weight", 7, 6}, {"model.layers.0.mlp.gate_proj.bias", 7, 0},
		{"model.layers.0.mlp.up_proj.weight", 7, 6}, {"model.layers.0.mlp.up_proj.bias", 7, 0},
		{"model.layers.0.mlp.down_proj.weight", 6, 7}, {"model.layers.0.mlp.down_proj.bias", 6, 0},
		{"model.norm.weight", 6, 0}};

	(void)state;
#define CONFIG \
	"{\"model_type\":\"llama\",\"vocab_size\":11,\"hidden_size\":6,\"intermediate_size\":7,\"head_dim\":4," \
	"\"num_attention_heads\":4,\"num_key_value_heads\":2"
	check_params(CONFIG ",\"num_hidden_layers\":2}", want, COUNT(want));
	check_params(CONFIG ",\"num_hidden_layers\":2,\"tie_word_embeddings\":true}", want, COUNT(want) - 1);
	check_params(CONFIG ",\"num_hidden_layers\":1,\"tie_word_embeddings\":true,\"attention_bias\":true,"
			    "\"mlp_bias\":true}",
		biased, COUNT(biased));
#undef CONFIG
}

/* ---- models from nothing */

static char folder[] = "/tmp/test_model.XXXXXX";

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void init(struct model *m, const char *config, uint64_t seed)
{
	struct err err = ERR_INIT;
	char path[60];
	FILE *f;

	snprintf(path, sizeof path, "%s/config.json", folder);
	f = fopen(path, "w");
	assert_true(f && fputs(config, f) >= 0 && fclose(f) == 0);
	if (model_init(m, path, seed, &err))
		fail_msg("%s: %s", config, err.text);
	unlink(path);
}

static double spread(const float *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)x[i] * x[i];
	return sqrt(sum / (double)n);
}

static void random_weights_are_as_transformers_makes_them(void **state)
{
	static const char *const configs[] = {
		"{\"model_type\":\"gpt2\",\"vocab_size\":501,\"n_embd\":64,\"n_layer\":8,\"n_head\":2,\"n_positions\":99}",
		"{\"model_type\":\"llama\",\"vocab_size\":501,\"hidden_size\":64,\"intermediate_size\":77,"
		"\"num_hidden_layers\":8,\"num_attention_heads\":2,\"attention_bias\":true,\"initializer_range\":0.1}"};

	(void)state;
	for (int c = 0; c < 2; c++) {
		struct model m, again, other;
		size_t same = 0;

		omp_set_num_threads(3);
		init(&m, configs[c], 7);
		omp_set_num_threads(1);
		init(&again, configs[c], 7);
		init(&other, configs[c], 8);
		assert_memory_equal(m.weights, again.weights, m.params.count * sizeof *m.weights);
		for (size_t i = 0; i < m.params.n; i++) {
			const struct param *p = &m.params.param[i];
			const float *w = m.weights + p->offset;
			double std = c ? 0.1 : p->role == ROLE_OUT || p->role == ROLE_DOWN ? 0.02 / 4 : 0.02;

			assert_ptr_equal(m.data[i], w);
			if (p->rank == 2) {
				assert_true(fabs(spread(w, p->count) / std - 1) < 0.05);
				for (size_t k = 0; k < p->count; k++)
					same += w[k] == other.weights[p->offset + k];
			}
			for (size_t k = 0; p->rank == 1 && k < p->count; k++)
				assert_true(w[k] == (p->bias ? 0 : 1));
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
	init(&m, "{\"model_type\":\"gpt2\",\"vocab_size\":11,\"n_embd\":6,\"n_layer\":2,\"n_head\":2,\"n_inner\":7}", 1);
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
	init(&m, "{\"model_type\":\"llama\",\"vocab_size\":11,\"hidden_size\":8,\"num_hidden_layers\":2,"
		 "\"intermediate_size\":7,\"num_attention_heads\":2}", 1);
	assert_false(model_mat(&m, ROLE_UP, 1).in_first);
	assert_non_null(model_mat(&m, ROLE_HEAD, 0).data);
	assert_null(model_mat(&m, ROLE_PLACES, 0).data);
	assert_null(model_mat(&m, ROLE_QKV, 0).data);
	assert_null(model_vector(&m, ROLE_NORM1, 0, true));
	assert_null(model_vector(&m, ROLE_Q, 0, true));
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

/* ---- the decoder */

static const char *const tiny[] = {
	"{\"model_type\":\"gpt2\",\"vocab_size\":19,\"n_embd\":6,\"n_layer\":2,\"n_head\":2,\"n_positions\":12,"
	"\"initializer_range\":0.4}",
	"{\"model_type\":\"gpt2\",\"vocab_size\":19,\"n_embd\":6,\"n_layer\":1,\"n_head\":3,\"n_positions\":12,\"n_inner\":5,"
	"\"activation_function\":\"gelu\",\"tie_word_embeddings\":false,\"scale_attn_weights\":false,"
	"\"initializer_range\":0.4}",
	"{\"model_type\":\"llama\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":5,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":4,\"initializer_range\":0.4}",
	"{\"model_type\":\"llama\",\"vocab_size\":19,\"hidden_size\":6,\"intermediate_size\":7,\"num_hidden_layers\":1,"
	"\"num_attention_heads\":3,\"num_key_value_heads\":1,\"head_dim\":2,\"attention_bias\":true,\"mlp_bias\":true,"
	"\"tie_word_embeddings\":true,\"initializer_range\":0.4,\"rope_theta\":100,"
	"\"rope_scaling\":{\"type\":\"linear\",\"factor\":1.5}}",
};

/* Records of every kind: k = 2, 1 and 3, without a prompt, completions of one token, tokens that do not count. */
static const int32_t words[] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0, 3, 1, 4, 1, 5, 9, 2, 6, 5};
static const struct {
	int k;
	int64_t seg[5], uncounted[3];
} records[] = {
	{2, {0, 3, 6, 8}, {0, 0}},
	{1, {8, 9, 13}, {0}},
	{3, {13, 15, 16, 19, 21}, {0, 1, 0}},
	{2, {21, 21, 25, 27}, {1, 1}},
	{1, {5, 14, 15}, {0}},
};

static void add_records(struct pack *p)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < COUNT(records); i++)
		assert_int_equal(pack_add(p, words, records[i].seg, records[i].k, records[i].uncounted, &err), 0);
}

struct pass {
	struct model *m;
	struct decoder *d;
	struct pack *pack;
	struct logp_row *rows;
	const float *weights; /* [pack->counted] of the log-probs in a sum */
};

static double pass_value(void *arg)
{
	struct pass *c = arg;
	struct err err = ERR_INIT;
	double sum = 0;

	if (decoder_forward(c->d, c->pack, c->rows, &err))
		fail_msg("%s", err.text);
	for (int64_t i = 0; i < c->pack->counted; i++)
		sum += (double)c->weights[i] * c->rows[i].logp;
	return sum;
}

/* Forward and backward: rows into c->rows; the gradient, for free(). */
static float *pass_gradient(struct pass *c)
{
	float *grads = calloc(c->m->params.count, sizeof *grads);

	assert_non_null(grads);
	pass_value(c);
	decoder_backward(c->d, c->pack, c->rows, c->weights, grads);
	return grads;
}

static void open_pass(struct pass *c, struct model *m, const char *ops, struct pack *p)
{
	struct err err = ERR_INIT;

	*c = (struct pass){m, decoder_new(m, ops_find(ops), true, &err), p,
		calloc((size_t)p->counted + 1, sizeof *c->rows), check_random(5, p->counted, 1)};
	assert_true(c->d && c->rows);
}

static void close_pass(struct pass *c)
{
	decoder_free(c->d);
	free(c->rows);
	free((void *)(uintptr_t)c->weights);
}

/* A model whose gains and biases are not what initialisation leaves. */
static void init_rough(struct model *m, const char *config, uint64_t seed)
{
	float *noise;

	init(m, config, seed);
	noise = check_random(seed + 100, (int64_t)m->params.count, 0.2);
	for (size_t i = 0; i < m->params.count; i++)
		m->weights[i] += noise[i];
	free(noise);
}

static float *logps(const struct pass *c)
{
	float *x = calloc((size_t)c->pack->counted + 1, sizeof *x);

	assert_non_null(x);
	for (int64_t i = 0; i < c->pack->counted; i++)
		x[i] = c->rows[i].logp;
	return x;
}

static void whole_gradient(void **state)
{
	(void)state;
	omp_set_num_threads(1);
	for (size_t i = 0; i < COUNT(tiny); i++) {
		struct pack p = PACK_INIT;
		struct model m;
		struct pass c;
		float *grads;

		init_rough(&m, tiny[i], i);
		add_records(&p);
		open_pass(&c, &m, "reference", &p);
		grads = pass_gradient(&c);
		for (size_t k = 0; k < m.params.n; k++) {
			const struct param *q = &m.params.param[k];
			char name[200];

			snprintf(name, sizeof name, "model %d, %s", (int)i, q->name);
			check_gradient(name, pass_value, &c, m.weights + q->offset, grads + q->offset,
				(int64_t)q->count, 5e-3);
		}
		free(grads);
		close_pass(&c);
		pack_release(&p);
		model_release(&m);
	}
}

static void gradients_are_added(void **state)
{
	struct pack p = PACK_INIT;
	struct model m;
	struct pass c;
	float *once, *twice;

	(void)state;
	init_rough(&m, tiny[2], 1);
	add_records(&p);
	open_pass(&c, &m, "cpu", &p);
	once = pass_gradient(&c);
	twice = pass_gradient(&c);
	pass_value(&c);
	decoder_backward(c.d, &p, c.rows, c.weights, twice);
	for (size_t i = 0; i < m.params.count; i++)
		twice[i] /= 2;
	check_close("twice", twice, once, (int64_t)m.params.count, 1e-6);
	free(once);
	free(twice);
	close_pass(&c);
	pack_release(&p);
	model_release(&m);
}

static const char *const odd[] = {
	"{\"model_type\":\"gpt2\",\"vocab_size\":307,\"n_embd\":36,\"n_layer\":3,\"n_head\":3,\"n_positions\":80,"
	"\"initializer_range\":0.15}",
	"{\"model_type\":\"llama\",\"vocab_size\":307,\"hidden_size\":40,\"intermediate_size\":77,\"num_hidden_layers\":3,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":18,\"attention_bias\":true,"
	"\"initializer_range\":0.15}",
};

/* n random records of up to 79 tokens, for free(). */
static void add_random_records(struct pack *p, int n, int vocab, uint64_t seed)
{
	struct err err = ERR_INIT;
	int32_t tokens[400];

	for (int i = 0; i < n; i++) {
		float *r = check_random(seed + (uint64_t)i, 405, 1000);
		int64_t seg[5] = {0}, none[3] = {0};
		int k = i % 3 + 1;

		for (int t = 0; t < 400; t++)
			tokens[t] = abs((int)r[t]) % vocab;
		for (int s = 0; s <= k; s++)
			seg[s + 1] = seg[s] + 1 + abs((int)r[400 + s]) % 39;
		assert_int_equal(pack_add(p, tokens, seg, k, none, &err), 0);
		free(r);
	}
}

static void backends_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tiny) + COUNT(odd); i++) {
		bool small = i < COUNT(tiny);
		struct pack p = PACK_INIT;
		struct model m;
		struct pass ref, cpu;
		float *want, *got, *want_logps, *got_logps;
		char what[40];

		init_rough(&m, small ? tiny[i] : odd[i - COUNT(tiny)], i);
		if (small)
			add_records(&p);
		else
			add_random_records(&p, 9, 307, i);
		open_pass(&ref, &m, "reference", &p);
		open_pass(&cpu, &m, "cpu", &p);
		want = pass_gradient(&ref);
		got = pass_gradient(&cpu);
		want_logps = logps(&ref);
		got_logps = logps(&cpu);
		snprintf(what, sizeof what, "model %d, log-probs", (int)i);
		check_close(what, got_logps, want_logps, p.counted, 2e-6);
		for (size_t k = 0; k < m.params.n; k++) {
			const struct param *q = &m.params.param[k];

			check_close(q->name, got + q->offset, want + q->offset, (int64_t)q->count, 5e-5);
		}
		free(want);
		free(got);
		free(want_logps);
		free(got_logps);
		close_pass(&ref);
		close_pass(&cpu);
		pack_release(&p);
		model_release(&m);
	}
}

/* Each completion behind its own copy of the prompt, or with the prompt as its own uncounted beginning. */
static void add_alone(struct pack *p, const int32_t *prompt, int64_t n, const int32_t *completion, int64_t k,
	bool merged)
{
	int32_t tokens[100];
	int64_t seg[3] = {0, merged ? 0 : n, n + k}, uncounted = merged ? n : 0;
	struct err err = ERR_INIT;

	memcpy(tokens, prompt, (size_t)n * sizeof *tokens);
	memcpy(tokens + n, completion, (size_t)k * sizeof *tokens);
	assert_int_equal(pack_add(p, tokens, seg, 1, &uncounted, &err), 0);
}

static void shared_prompts_change_nothing(void **state)
{
	static const char *const backends[] = {"reference", "cpu"};
	static const int64_t lengths[] = {17, 9, 1, 22}; /* a prompt and three completions */

	(void)state;
	for (size_t i = 0; i < COUNT(odd) * 4; i++) {
		const char *ops = backends[i % 2];
		bool merged = i / 2 % 2;
		struct pack shared = PACK_INIT, alone = PACK_INIT;
		struct err err = ERR_INIT;
		struct pass a, b;
		struct model m;
		float *r = check_random(i, 100, 1000), *want, *got, *want_logps, *got_logps;
		int32_t tokens[100];
		int64_t seg[5] = {0}, none[3] = {0};

		init_rough(&m, odd[i / 4], i);
		for (int t = 0; t < 100; t++)
			tokens[t] = abs((int)r[t]) % 307;
		free(r);
		for (int s = 0; s < 4; s++)
			seg[s + 1] = seg[s] + lengths[s];
		add_random_records(&shared, 2, 307, 3); /* others around them */
		assert_int_equal(pack_add(&shared, tokens, seg, 3, none, &err), 0);
		add_random_records(&alone, 2, 307, 3);
		for (int s = 1; s < 4; s++)
			add_alone(&alone, tokens, lengths[0], tokens + seg[s], lengths[s], merged);
		assert_int_equal(shared.counted, alone.counted);
		assert_true(shared.rows < alone.rows);
		open_pass(&a, &m, ops, &shared);
		open_pass(&b, &m, ops, &alone);
		got = pass_gradient(&a);
		want = pass_gradient(&b);
		got_logps = logps(&a);
		want_logps = logps(&b);
		check_close("log-probs", got_logps, want_logps, shared.counted, 1e-6);
		for (size_t k = 0; k < m.params.n; k++) {
			const struct param *q = &m.params.param[k];

			check_close(q->name, got + q->offset, want + q->offset, (int64_t)q->count, 5e-5);
		}
		free(got);
		free(want);
		free(got_logps);
		free(want_logps);
		close_pass(&a);
		close_pass(&b);
		pack_release(&shared);
		pack_release(&alone);
		model_release(&m);
	}
}

static bool same_rows(const struct logp_row *a, const struct logp_row *b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (a[i].logp != b[i].logp || a[i].lse != b[i].lse || a[i].mean != b[i].mean ||
			a[i].entropy != b[i].entropy || a[i].hit != b[i].hit)
			return false;
	return true;
}

static void same_bits_at_any_thread_count(void **state)
{
	static const char *const backends[] = {"reference", "cpu"};
	static const int threads[] = {1, 2, 4, 3};

	(void)state;
	for (size_t i = 0; i < COUNT(odd) * 2; i++) {
		struct pack p = PACK_INIT;
		float *first = NULL;
		struct logp_row *rows = NULL;
		struct model m;

		init_rough(&m, odd[i / 2], i);
		add_random_records(&p, 12, 307, i);
		for (size_t t = 0; t < COUNT(threads); t++) {
			struct pass c;
			float *grads;

			omp_set_num_threads(threads[t]);
			open_pass(&c, &m, backends[i % 2], &p);
			grads = pass_gradient(&c);
			if (!first) {
				first = grads;
				rows = c.rows;
				c.rows = NULL;
			} else {
				assert_memory_equal(grads, first, m.params.count * sizeof *grads);
				assert_true(same_rows(c.rows, rows, p.counted));
				free(grads);
			}
			close_pass(&c);
		}
		omp_set_num_threads(1);
		free(first);
		free(rows);
		pack_release(&p);
		model_release(&m);
	}
}

/* More counted tokens than logits are held at a time: computed in chunks, and again on the way back. */
static void logits_come_in_chunks(void **state)
{
	static const char config[] = "{\"model_type\":\"llama\",\"vocab_size\":65536,\"hidden_size\":8,"
				     "\"intermediate_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2}";
	struct pack whole = PACK_INIT, half[2] = {PACK_INIT, PACK_INIT};
	struct err err = ERR_INIT;
	int32_t tokens[600];
	int64_t seg[3] = {0, 1, 301}, none = 0;
	struct pass c, part;
	float *want = NULL, *got, *a, *b;
	struct model m;

	(void)state;
	init_rough(&m, config, 1);
	for (int i = 0; i < 600; i++)
		tokens[i] = i * 109 % 65536;
	for (int h = 0; h < 2; h++) {
		assert_int_equal(pack_add(&half[h], tokens + 299 * h, seg, 1, &none, &err), 0);
		assert_int_equal(pack_add(&whole, tokens + 299 * h, seg, 1, &none, &err), 0);
	}
	assert_int_equal(whole.counted, 600);
	open_pass(&c, &m, "cpu", &whole);
	got = pass_gradient(&c);
	a = logps(&c);
	for (int h = 0; h < 2; h++) {
		open_pass(&part, &m, "cpu", &half[h]);
		free((void *)(uintptr_t)part.weights);
		part.weights = c.weights + 300 * h;
		if (!want) {
			want = pass_gradient(&part);
		} else {
			pass_value(&part);
			decoder_backward(part.d, &half[h], part.rows, part.weights, want);
		}
		b = logps(&part);
		check_close("log-probs", a + 300 * h, b, 300, 1e-6);
		free(b);
		part.weights = NULL;
		close_pass(&part);
	}
	check_close("gradient", got, want, (int64_t)m.params.count, 1e-5);
	free(a);
	free(got);
	free(want);
	close_pass(&c);
	pack_release(&whole);
	pack_release(&half[0]);
	pack_release(&half[1]);
	model_release(&m);
}

static void packs_without_work(void **state)
{
	static const char *const backends[] = {"reference", "cpu"};
	static const int32_t tokens[] = {1, 2, 3};
	static const int64_t empty[] = {0, 0, 0}, given[] = {0, 0, 1}, prompt[] = {0, 2, 2}, one[] = {1};

	(void)state;
	for (size_t i = 0; i < COUNT(tiny) * 2; i++) {
		struct err err = ERR_INIT;
		struct pack p = PACK_INIT;
		struct model m;
		struct pass c;
		float *grads;

		init(&m, tiny[i / 2], i);
		for (int with = 0; with < 3; with++) {
			/* Nothing at all; a token that nothing precedes; a prompt without an answer. */
			pack_clear(&p);
			assert_int_equal(pack_add(&p, tokens, with == 0 ? empty : with == 1 ? given : prompt, 1,
						 with == 1 ? one : (int64_t[]){0}, &err),
				0);
			assert_int_equal(p.counted, 0);
			open_pass(&c, &m, backends[i % 2], &p);
			grads = pass_gradient(&c);
			for (size_t k = 0; k < m.params.count; k++)
				assert_true(grads[k] == 0);
			free(grads);
			close_pass(&c);
		}
		pack_release(&p);
		model_release(&m);
	}
}

static void refuse(const char *config, const int32_t *tokens, int64_t prompt, int64_t n, int code, const char *says)
{
	int64_t seg[] = {0, prompt, n}, none = 0;
	struct logp_row rows[20];
	struct pack p = PACK_INIT;
	struct err err = ERR_INIT;
	struct decoder *d;
	struct model m;

	init(&m, config, 1);
	d = decoder_new(&m, ops_find("cpu"), false, &err);
	assert_non_null(d);
	assert_int_equal(pack_add(&p, tokens, seg, 1, &none, &err), 0);
	assert_int_equal(decoder_forward(d, &p, rows, &err), code ? -1 : 0);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, says))
		fail_msg("no '%s' in: %s", says, err.text);
	decoder_free(d);
	pack_release(&p);
	model_release(&m);
}

static void what_does_not_fit_is_refused(void **state)
{
	static const int32_t plain[16], large[] = {1, 2, 19}, negative[] = {1, -1, 3}, target[] = {1, 2, 3, 1 << 30};

	(void)state;
	refuse(tiny[0], plain, 3, 12, 0, "");
	refuse(tiny[0], plain, 3, 13, ERR_LIMIT, "a sequence of 13 tokens; the model has 12 positions");
	refuse(tiny[2], plain, 3, 16, 0, "");
	for (int i = 0; i < 3; i += 2) {
		refuse(tiny[i], large, 1, 3, ERR_MISMATCH, "token 19 is outside the model's vocabulary of 19");
		refuse(tiny[i], large + 2, 1, 1, ERR_MISMATCH, "token 19");
		refuse(tiny[i], negative, 1, 3, ERR_MISMATCH, "token -1");
		refuse(tiny[i], target, 2, 4, ERR_MISMATCH, "token 1073741824");
	}
}

static size_t in_use(void)
{
	struct mallinfo2 i = mallinfo2();

	return i.uordblks + i.hblkhd;
}

static void memory_is_reserved_and_grows(void **state)
{
	struct pack small = PACK_INIT, large = PACK_INIT;
	struct err err = ERR_INIT;
	struct logp_row *rows, *again;
	struct decoder *d;
	struct model m;
	size_t before, bytes, added;

	(void)state;
	init_rough(&m, odd[1], 1);
	add_random_records(&small, 1, 307, 1);
	add_random_records(&large, 9, 307, 2);
	rows = calloc((size_t)large.counted, sizeof *rows);
	again = calloc((size_t)large.counted, sizeof *again);
	assert_true(rows && again);
	for (int train = 0; train < 2; train++) {
		d = decoder_new(&m, ops_find("reference"), train, &err);
		assert_non_null(d);
		bytes = decoder_memory(d, large.rows, large.counted, large.longest);
		assert_true(decoder_memory(d, small.rows, small.counted, small.longest) < bytes);
		assert_true(decoder_memory(d, 2 * large.rows, large.counted, large.longest) > bytes);
		assert_true(decoder_memory(d, large.rows, 2 * large.counted, large.longest) > bytes);
		before = in_use();
		assert_int_equal(decoder_reserve(d, large.rows, large.counted, large.longest, &err), 0);
		added = in_use() - before;
		/* Zero where the memory's keeper is a sanitizer; otherwise what was said, and turns by position. */
		assert_true(!added || (added >= bytes && added < bytes + 20000));
		before = in_use();
		for (int i = 0; i < 3; i++) {
			assert_int_equal(decoder_forward(d, i == 1 ? &small : &large, rows, &err), 0);
			assert_int_equal(in_use(), before);
		}
		/* The same from a decoder that had to grow, and forgot nothing that it had been asked for. */
		decoder_free(d);
		d = decoder_new(&m, ops_find("reference"), train, &err);
		assert_int_equal(decoder_forward(d, &small, again, &err), 0);
		assert_int_equal(decoder_reserve(d, 1, 1, 1, &err), 0);
		assert_int_equal(decoder_forward(d, &large, again, &err), 0);
		assert_true(same_rows(rows, again, large.counted));
		assert_int_equal(decoder_memory(d, large.rows, large.counted, large.longest), bytes);
		assert_int_equal(decoder_forward(d, &large, again, &err), 0); /* asking changed nothing */
		assert_true(same_rows(rows, again, large.counted));
		/* Asked for more of one thing, it keeps what it had of the others. */
		assert_int_equal(decoder_reserve(d, 1, 2 * large.counted, 1, &err), 0);
		before = in_use();
		assert_int_equal(decoder_forward(d, &large, again, &err), 0);
		assert_int_equal(in_use(), before);
		assert_int_equal(decoder_reserve(d, (int64_t)1 << 53, 1, 1, &err), -1);
		assert_int_equal(err.code, ERR_LIMIT);
		assert_int_equal(decoder_forward(d, &large, again, &err), 0); /* nor did asking too much */
		assert_true(same_rows(rows, again, large.counted));
		decoder_free(d);
	}
	decoder_free(NULL);
	free(rows);
	free(again);
	pack_release(&small);
	pack_release(&large);
	model_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configs_have_defaults),
		cmocka_unit_test(configs_are_followed),
		cmocka_unit_test(rotations),
		cmocka_unit_test(bad_configs_are_refused),
		cmocka_unit_test(parameters_of_gpt2),
		cmocka_unit_test(parameters_of_llama),
		cmocka_unit_test(random_weights_are_as_transformers_makes_them),
		cmocka_unit_test(matrices_are_found),
		cmocka_unit_test(packs),
		cmocka_unit_test(whole_gradient),
		cmocka_unit_test(gradients_are_added),
		cmocka_unit_test(backends_agree),
		cmocka_unit_test(shared_prompts_change_nothing),
		cmocka_unit_test(same_bits_at_any_thread_count),
		cmocka_unit_test(logits_come_in_chunks),
		cmocka_unit_test(packs_without_work),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(memory_is_reserved_and_grows),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
