/*
 * Configs of every family: what they mean, what is missing in them, what is refused; the parameters that follow
 * from them. Defaults and rules are those of ../shared/oracle/CONFIG-DEFAULTS.md.
 */
#include "tests/unit/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/params.h"

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

struct defaults {
	const char *family;
	int64_t vocab, hidden, layers, heads, kv_heads, head_dim, inner, positions;
	float eps;
	enum act_kind act;
	bool tied;
	double theta; /* 0: no rotation */
	int64_t rotary, padding;
	int64_t window[2]; /* of the first two layers */
};

static void configs_have_defaults(void **state)
{
	static const struct defaults all[] = {
		{"gpt2", 50257, 768, 12, 12, 12, 64, 3072, 1024, 1e-5f, ACT_GELU_TANH, true, 0, 0, -1, {0, 0}},
		{"gptj", 50400, 4096, 28, 16, 16, 256, 16384, 2048, 1e-5f, ACT_GELU_TANH, false, 10000, 64, -1, {0, 0}},
		{"gpt_neox", 50432, 6144, 44, 64, 64, 96, 24576, 2048, 1e-5f, ACT_GELU, false, 10000, 24, -1, {0, 0}},
		{"llama", 32000, 4096, 32, 32, 32, 128, 11008, 2048, 1e-6f, ACT_SILU, false, 10000, 128, -1, {0, 0}},
		{"mistral", 32000, 4096, 32, 32, 8, 128, 14336, 131072, 1e-6f, ACT_SILU, false, 10000, 128, -1,
			{4096, 4096}},
		{"qwen2", 151936, 4096, 32, 32, 32, 128, 22016, 32768, 1e-6f, ACT_SILU, false, 10000, 128, -1, {0, 0}},
		{"qwen3", 151936, 4096, 32, 32, 32, 128, 22016, 32768, 1e-6f, ACT_SILU, false, 10000, 128, -1, {0, 0}},
		{"gemma", 256000, 3072, 28, 16, 16, 256, 24576, 8192, 1e-6f, ACT_GELU_TANH, true, 10000, 256, 0, {0, 0}},
		{"gemma2", 256000, 2304, 26, 8, 4, 256, 9216, 8192, 1e-6f, ACT_GELU_TANH, true, 10000, 256, 0, {4096, 0}},
		{"gemma3_text", 262208, 2304, 26, 8, 4, 256, 9216, 131072, 1e-6f, ACT_GELU_TANH, true, 1e6, 256, 0,
			{4096, 4096}},
		{"phi3", 32064, 3072, 32, 32, 32, 96, 8192, 4096, 1e-5f, ACT_SILU, false, 10000, 96, 32000, {0, 0}},
		{"olmo2", 50304, 4096, 32, 32, 32, 128, 11008, 2048, 1e-5f, ACT_SILU, false, 10000, 128, 1, {0, 0}},
		{"smollm3", 128256, 2048, 36, 16, 4, 128, 11008, 32768, 1e-6f, ACT_SILU, true, 2e6, 128, 128004, {0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		const struct defaults *want = &all[i];
		struct arch a;
		char text[100];

		snprintf(text, sizeof text, "{\"model_type\":\"%s\",\"attention_dropout\":0.1}", want->family);
		good(&a, text);
		assert_string_equal(a.family->model_type, want->family);
		assert_int_equal(a.vocab, want->vocab);
		assert_int_equal(a.hidden, want->hidden);
		assert_int_equal(a.layers, want->layers);
		assert_int_equal(a.heads, want->heads);
		assert_int_equal(a.kv_heads, want->kv_heads);
		assert_int_equal(a.head_dim, want->head_dim);
		assert_int_equal(a.inner, want->inner);
		assert_int_equal(a.positions, want->positions);
		assert_int_equal(a.act, want->act);
		assert_int_equal(a.tied, want->tied);
		assert_int_equal(a.padding, want->padding);
		assert_true(a.eps == want->eps && a.init_std == 0.02);
		assert_int_equal(a.norm, !strncmp(want->family, "gpt", 3) ? NORM_LAYER : NORM_RMS);
		assert_int_equal(a.rotations, want->theta == 0 ? 0 : !strcmp(want->family, "gemma3_text") ? 2 : 1);
		assert_int_equal(a.rotation[0].dim, want->rotary);
		for (int64_t k = 0; k < want->rotary / 2; k++)
			assert_true(fabs(a.rotation[0].frequency[k] /
						pow(want->theta, -2.0 * (double)k / (double)want->rotary) -
					1) < 1e-14);
		for (int l = 0; l < 2; l++) {
			assert_int_equal(a.layer[l].window, want->window[l]);
			assert_true(fabsf(a.layer[l].scale * sqrtf((float)a.head_dim) - 1) < 1e-6f);
		}
		arch_release(&a);
	}
}

/* What makes each family differ from Llama. */
static void families_differ(void **state)
{
	struct arch a;

	(void)state;
	good(&a, "{\"model_type\":\"gpt2\"}");
	assert_true(a.in_first && a.init_residual && a.qkv_bias && a.out_bias && a.mlp_bias && a.norm_bias);
	assert_true(!arch_gated(&a) && !a.parallel && !a.head_bias && a.layer[0].rotation == -1);
	arch_release(&a);
	good(&a, "{\"model_type\":\"gptj\"}");
	assert_true(a.parallel && a.rotation[0].neighbours && a.mlp_bias && a.norm_bias && a.head_bias);
	assert_true(!a.in_first && !a.qkv_bias && !a.out_bias && !arch_gated(&a) && !a.init_residual);
	arch_release(&a);
	good(&a, "{\"model_type\":\"gpt_neox\"}");
	assert_true(a.parallel && a.qkv_by_head && a.qkv_bias && a.out_bias && a.mlp_bias && a.norm_bias);
	assert_true(!a.head_bias && !a.rotation[0].neighbours);
	arch_release(&a);
	good(&a, "{\"model_type\":\"llama\"}");
	assert_true(arch_gated(&a) && !a.qkv_bias && !a.out_bias && !a.mlp_bias && !a.norm_bias && !a.parallel);
	assert_true(a.embed_scale == 1 && a.gain_plus == 0 && a.attention_cap == 0 && a.logit_cap == 0);
	arch_release(&a);
	good(&a, "{\"model_type\":\"qwen2\",\"attention_bias\":false}"); /* a key that is not read */
	assert_true(a.qkv_bias && !a.out_bias);
	arch_release(&a);
	good(&a, "{\"model_type\":\"mistral\",\"attention_bias\":true,\"mlp_bias\":true}");
	assert_true(!a.qkv_bias && !a.out_bias && !a.mlp_bias);
	arch_release(&a);
	good(&a, "{\"model_type\":\"qwen3\"}");
	assert_true(a.norm_by_head && arch_tensor(&a, ROLE_QNORM));
	arch_release(&a);
	good(&a, "{\"model_type\":\"gemma\",\"hidden_size\":100,\"hidden_act\":\"gelu\",\"hidden_activation\":null}");
	assert_true(a.embed_scale == 10 && a.gain_plus == 1 && a.act == ACT_GELU_TANH && !arch_tensor(&a, ROLE_POST1));
	arch_release(&a);
	good(&a, "{\"model_type\":\"gemma2\",\"hidden_size\":100}");
	assert_true(a.embed_scale == 10 && a.gain_plus == 1 && a.attention_cap == 50 && a.logit_cap == 30);
	assert_true(arch_tensor(&a, ROLE_POST1) && arch_tensor(&a, ROLE_NORM2) && !arch_tensor(&a, ROLE_QNORM));
	arch_release(&a);
	good(&a, "{\"model_type\":\"gemma2\",\"attn_logit_softcapping\":null,\"final_logit_softcapping\":null,"
		 "\"query_pre_attn_scalar\":144}");
	assert_true(a.attention_cap == 0 && a.logit_cap == 0 && fabsf(a.layer[25].scale * 12 - 1) < 1e-6f);
	arch_release(&a);
	good(&a, "{\"model_type\":\"gemma3_text\",\"attn_logit_softcapping\":50,\"final_logit_softcapping\":20}");
	assert_true(a.attention_cap == 0 && a.logit_cap == 20 && a.norm_by_head && a.gain_plus == 1);
	arch_release(&a);
	good(&a, "{\"model_type\":\"phi3\",\"attention_bias\":true,\"mlp_bias\":true,\"lm_head_bias\":true}");
	assert_true(arch_gated(&a) && !a.qkv_bias && !a.mlp_bias && !a.head_bias && !arch_tensor(&a, ROLE_Q));
	arch_release(&a);
	good(&a, "{\"model_type\":\"olmo2\"}");
	assert_true(!arch_tensor(&a, ROLE_NORM1) && !arch_tensor(&a, ROLE_NORM2) && arch_tensor(&a, ROLE_POST2));
	assert_true(!a.norm_by_head);
	arch_release(&a);
}

static void nulls_have_a_meaning(void **state)
{
	static const char *const grouped[] = {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "phi3",
		"olmo2", "smollm3"};
	struct arch a;
	char text[200];

	(void)state;
	for (size_t i = 0; i < COUNT(grouped); i++) {
		snprintf(text, sizeof text,
			"{\"model_type\":\"%s\",\"hidden_size\":96,\"num_attention_heads\":12,"
			"\"num_key_value_heads\":null,\"head_dim\":null,\"rope_scaling\":null,\"sliding_window\":null,"
			"\"pad_token_id\":null,\"layer_types\":null}",
			grouped[i]);
		good(&a, text);
		assert_int_equal(a.kv_heads, 12);
		assert_int_equal(a.head_dim, 8);
		assert_int_equal(a.padding, -1);
		for (int64_t l = 0; l < a.layers; l++)
			assert_int_equal(a.layer[l].window, 0);
		arch_release(&a);
	}
	good(&a, "{\"model_type\":\"gpt2\",\"n_inner\":null,\"n_ctx\":7}");
	assert_int_equal(a.inner, 3072);
	arch_release(&a);
	good(&a, "{\"model_type\":\"gptj\",\"n_inner\":null,\"rotary_dim\":null}");
	assert_int_equal(a.inner, 16384);
	assert_int_equal(a.rotation[0].dim, 256);
	arch_release(&a);
	good(&a, "{\"model_type\":\"llama\",\"pad_token_id\":-1}"); /* the last, as torch counts */
	assert_int_equal(a.padding, 31999);
	arch_release(&a);
	good(&a, "{\"model_type\":\"llama\",\"pad_token_id\":32000}");
	assert_int_equal(a.padding, -1);
	arch_release(&a);
}

/* Each layer's window and rotation, in short: "4." is a window of 4 and the first rotation, "-" none. */
static void layers_differ(void **state)
{
	static const struct {
		const char *config, *layers;
	} all[] = {
		{"\"model_type\":\"llama\",\"sliding_window\":4,\"layer_types\":[\"sliding_attention\"]", "0. 0. 0. 0. "},
		{"\"model_type\":\"gemma\",\"sliding_window\":4", "0. 0. 0. 0. "},
		{"\"model_type\":\"mistral\",\"sliding_window\":4", "4. 4. 4. 4. "},
		{"\"model_type\":\"phi3\",\"sliding_window\":4,\"layer_types\":[\"full_attention\"]", "4. 4. 4. 4. "},
		{"\"model_type\":\"qwen2\",\"sliding_window\":4,\"max_window_layers\":1", "0. 0. 0. 0. "},
		{"\"model_type\":\"qwen2\",\"sliding_window\":4,\"use_sliding_window\":true", "0. 0. 0. 0. "},
		{"\"model_type\":\"qwen2\",\"sliding_window\":4,\"use_sliding_window\":true,\"max_window_layers\":0",
			"4. 4. 4. 4. "},
		{"\"model_type\":\"qwen3\",\"sliding_window\":4,\"use_sliding_window\":true,\"max_window_layers\":3",
			"0. 0. 0. 4. "},
		{"\"model_type\":\"qwen3\",\"sliding_window\":4,\"use_sliding_window\":true,\"max_window_layers\":3,"
		 "\"layer_types\":[\"full_attention\",\"sliding_attention\",\"full_attention\",\"full_attention\"]",
			"0. 4. 0. 0. "},
		{"\"model_type\":\"gemma2\",\"sliding_window\":4", "4. 0. 4. 0. "},
		{"\"model_type\":\"gemma2\",\"sliding_window\":4,\"layer_types\":[\"full_attention\",\"full_attention\","
		 "\"sliding_attention\",\"sliding_attention\",\"full_attention\"]", "0. 0. 4. 4. "},
		{"\"model_type\":\"gemma3_text\",\"sliding_window\":4", "4: 4: 4: 4: "},
		{"\"model_type\":\"gemma3_text\",\"sliding_window\":4,\"sliding_window_pattern\":2", "4: 0. 4: 0. "},
		{"\"model_type\":\"gemma3_text\",\"sliding_window\":null,\"sliding_window_pattern\":2", "0: 0. 0: 0. "},
		{"\"model_type\":\"gemma3_text\",\"sliding_window\":4,\"layer_types\":[\"full_attention\",\"full_attention\","
		 "\"sliding_attention\",\"full_attention\"]", "0. 0. 4: 0. "},
		{"\"model_type\":\"smollm3\",\"sliding_window\":4", "0. 0. 0. 0- "},
		{"\"model_type\":\"smollm3\",\"no_rope_layer_interval\":2", "0. 0- 0. 0- "},
		{"\"model_type\":\"smollm3\",\"no_rope_layers\":[0,1,1,0],\"no_rope_layer_interval\":2", "0- 0. 0. 0- "},
		{"\"model_type\":\"smollm3\",\"no_rope_layers\":[0,1,1,0],\"use_sliding_window\":true", "0- 0. 0. 0- "},
		{"\"model_type\":\"smollm3\",\"no_rope_layers\":[0,1,1,0],\"use_sliding_window\":true,"
		 "\"sliding_window\":4", "4- 0. 0. 4- "},
		{"\"model_type\":\"smollm3\",\"use_sliding_window\":true,\"sliding_window\":4,\"layer_types\":"
		 "[\"sliding_attention\",\"full_attention\",\"full_attention\",\"full_attention\"]", "4. 0. 0. 0- "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++) {
		char text[500], got[100] = "";
		struct arch a;

		snprintf(text, sizeof text, "{\"num_hidden_layers\":4,%s}", all[i].config);
		good(&a, text);
		for (int l = 0; l < 4; l++)
			snprintf(got + strlen(got), 10, "%d%c ", (int)a.layer[l].window, "-.:"[a.layer[l].rotation + 1]);
		if (strcmp(got, all[i].layers))
			fail_msg("%s: %s instead of %s", text, got, all[i].layers);
		arch_release(&a);
	}
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
	assert_true(a.eps == 0.5f && !a.tied && a.layer[2].scale == 1 && a.init_std == 0.25);
	arch_release(&a);
	good(&a, "{\"model_type\":\"gpt2\",\"scale_attn_by_inverse_layer_idx\":true}");
	for (int l = 0; l < 12; l++)
		assert_true(fabs(a.layer[l].scale * 8 * (l + 1) - 1) < 1e-6);
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

/* ---- rotations, by the yardstick in PyTorch: ../shared/oracle/lm.py, rope_frequencies() */

struct rotated {
	const char *config;
	int64_t length; /* of the sequence */
	int which;
	int64_t n;
	double frequency[8], scale;
};

static void check_rotation(const struct rotated *want)
{
	static const int32_t pos[] = {0, 1, 3};
	const struct rotation *r;
	float turn[3 * 16];
	struct arch a;

	good(&a, want->config);
	r = &a.rotation[want->which];
	if (r->dim != 2 * want->n)
		fail_msg("%s: %d features turn, not %d", want->config, (int)r->dim, (int)(2 * want->n));
	rope_turn(r, turn, pos, 3, want->length);
	for (int p = 0; p < 3; p++)
		for (int i = 0; i < want->n; i++) {
			double angle = pos[p] * want->frequency[i];

			if (fabs(turn[2 * (want->n * p + i)] - cos(angle) * want->scale) > 1.5e-7 ||
				fabs(turn[2 * (want->n * p + i) + 1] - sin(angle) * want->scale) > 1.5e-7)
				fail_msg("%s, %lld tokens: pair %d turns %g, %g at position %d, should %g, %g", want->config,
					(long long)want->length, i, turn[2 * (want->n * p + i)],
					turn[2 * (want->n * p + i) + 1], pos[p], cos(angle) * want->scale,
					sin(angle) * want->scale);
		}
	arch_release(&a);
}

#define LLAMA "{\"model_type\":\"llama\",\"hidden_size\":16,\"num_attention_heads\":2,"
#define YARN LLAMA "\"max_position_embeddings\":2048,\"rope_scaling\":{\"rope_type\":\"yarn\"," \
		   "\"original_max_position_embeddings\":512,"
#define PHI "{\"model_type\":\"phi3\",\"hidden_size\":16,\"num_attention_heads\":2,\"max_position_embeddings\":64," \
	    "\"original_max_position_embeddings\":16,\"rope_scaling\":{\"short_factor\":[1,1.25,1.5,2]," \
	    "\"long_factor\":[1,2,3,5.0],"
#define GEMMA "{\"model_type\":\"gemma3_text\",\"head_dim\":2,\"num_hidden_layers\":1,"

static void rotations(void **state)
{
	static const struct rotated all[] = {
		{LLAMA "\"rope_theta\":16}", 9, 0, 4, {1, 0.5, 0.25, 0.125}, 1},
		{LLAMA "\"rope_theta\":16,\"partial_rotary_factor\":1}", 9, 0, 4, {1, 0.5, 0.25, 0.125}, 1},
		{LLAMA "\"rope_theta\":5,\"rope_parameters\":{\"rope_theta\":16}}", 9, 0, 4, {1, 0.5, 0.25, 0.125}, 1},
		{LLAMA "\"rope_theta\":16,\"rope_parameters\":{\"rope_theta\":5,\"factor\":9},\"rope_scaling\":"
		       "{\"type\":\"linear\",\"factor\":2}}", 9, 0, 4, {0.5, 0.25, 0.125, 0.0625}, 1},
		{LLAMA "\"max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}}", 64, 0, 4,
			{1, 0.1, 0.01, 0.001}, 1},
		{LLAMA "\"max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2.0}}", 100, 0, 4,
			{1, 0.07778222374656406, 0.006050074330960554, 0.00047058823529411766}, 1},
		{YARN "\"factor\":4.0}}", 9, 0, 4, {1, 0.0625, 0.0025, 0.00025}, 1.138629436111989},
		{YARN "\"factor\":null,\"truncate\":false,\"beta_fast\":20,\"beta_slow\":2,\"mscale\":0.7,"
		      "\"mscale_all_dim\":1.3}}", 9, 0, 4, {1, 0.07075450727153008, 0.0025, 0.00025}, 0.9295234923939468},
		{YARN "\"factor\":4.0,\"attention_factor\":1.25}}", 9, 0, 4, {1, 0.0625, 0.0025, 0.00025}, 1.25},
		{PHI "\"type\":\"su\"}}", 16, 0, 4, {1, 0.08, 0.006666666666666667, 0.0005}, 1.224744871391589},
		{PHI "\"type\":\"longrope\"}}", 17, 0, 4, {1, 0.05, 0.0033333333333333335, 0.0002}, 1.224744871391589},
		{PHI "\"type\":\"yarn\",\"factor\":32}}", 17, 0, 4, {1, 0.05, 0.0033333333333333335, 0.0002}, 1.5},
		{PHI "\"rope_type\":\"longrope\",\"attention_factor\":1.125}}", 17, 0, 4,
			{1, 0.05, 0.0033333333333333335, 0.0002}, 1.125},
		{"{\"model_type\":\"phi3\",\"hidden_size\":32,\"num_attention_heads\":2,\"rope_theta\":4,"
		 "\"partial_rotary_factor\":0.25}", 9, 0, 2, {1, 0.5}, 1},
		{"{\"model_type\":\"gpt_neox\",\"hidden_size\":32,\"num_attention_heads\":2,\"rotary_emb_base\":4}", 9, 0,
			2, {1, 0.5}, 1},
		{"{\"model_type\":\"gpt_neox\",\"hidden_size\":32,\"num_attention_heads\":2,\"rotary_pct\":1,"
		 "\"rope_parameters\":{\"rope_theta\":4,\"partial_rotary_factor\":0.25}}", 9, 0, 2, {1, 0.5}, 1},
		{GEMMA "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8}}", 9, 0, 1, {0.125}, 1},
		{GEMMA "\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":8}}", 9, 1, 1, {1}, 1},
		{"{\"model_type\":\"gemma3_text\",\"head_dim\":4,\"rope_theta\":100,\"rope_local_base_freq\":4}", 9, 1, 2,
			{1, 0.5}, 1},
		{"{\"model_type\":\"gemma3_text\",\"head_dim\":4,\"rope_theta\":100,\"rope_parameters\":{"
		 "\"full_attention\":{\"rope_type\":\"linear\",\"factor\":2},\"sliding_attention\":{\"rope_theta\":4}}}", 9, 0,
			2, {0.5, 0.05}, 1},
		{"{\"model_type\":\"gemma3_text\",\"head_dim\":4,\"rope_theta\":100,\"rope_parameters\":{"
		 "\"full_attention\":{\"rope_type\":\"linear\",\"factor\":2},\"sliding_attention\":{\"rope_theta\":4}}}", 9, 1,
			2, {1, 0.5}, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(all); i++)
		check_rotation(&all[i]);
}

/* All spellings of one scaling. */
static void llama3_rotations(void **state)
{
	static const struct rotated want = {NULL, 9, 0, 8,
		{1.0, 0.19387107718105473, 0.022228492625486533, 0.009373677616655697, 0.003952847075210474,
			0.001666901790204155, 0.0007029266564879364, 0.00029642171320770687},
		1};
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

	(void)state;
	for (size_t s = 0; s < COUNT(spellings); s++) {
		struct rotated r = want;
		char text[600];

		snprintf(text, sizeof text, "{\"model_type\":\"llama\",\"hidden_size\":32,\"num_attention_heads\":2,%s}",
			spellings[s]);
		r.config = text;
		check_rotation(&r);
	}
}

/* Each key that is wrong is named. */
static void bad_configs_are_refused(void **state)
{
	static const char gpt2[] = "\"model_type\":\"gpt2\",", llama[] = "\"model_type\":\"llama\",",
			  phi3[] = "\"model_type\":\"phi3\",", gemma2[] = "\"model_type\":\"gemma2\",",
			  smollm3[] = "\"model_type\":\"smollm3\",", neox[] = "\"model_type\":\"gpt_neox\",";
	static const struct {
		const char *family, *rest;
		int code;
		const char *says;
	} bad[] = {
		{"", "\"vocab_size\":5", ERR_MISMATCH, "(missing)"},
		{"", "\"model_type\":\"gpt3\"", ERR_MISMATCH, "'gpt3' is not supported; these are: gpt2, gptj, gpt_neox, llama, "},
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
		{llama, "\"hidden_size\":16,\"head_dim\":null", ERR_CORRUPT,
			"'hidden_size' 16 is less than 'num_attention_heads' 32"},
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
		{llama, "\"rope_scaling\":{\"type\":\"mrope\",\"factor\":2}", ERR_MISMATCH, "rope_type 'mrope'"},
		{llama, "\"rope_scaling\":{\"type\":\"su\",\"factor\":2}", ERR_MISMATCH, "rope_type 'su'"},
		{llama, "\"rope_scaling\":{\"type\":\"dynamic\"}", ERR_CORRUPT, "'factor' is missing"},
		{llama, "\"head_dim\":2,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}", ERR_CORRUPT,
			"dynamic scaling of 2 features"},
		{llama, "\"rope_theta\":1,\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}", ERR_CORRUPT, "ramp"},
		{llama, "\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2,\"truncate\":3}", ERR_CORRUPT, "'truncate'"},
		{llama, "\"rope_parameters\":{\"rope_type\":\"longrope\"}", ERR_CORRUPT, "'short_factor' is not a list of 64"},
		{llama, "\"original_max_position_embeddings\":0", ERR_CORRUPT, "'original_max_position_embeddings' is 0"},
		{phi3, "\"head_dim\":4,\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[1,2],\"long_factor\":[1]}",
			ERR_CORRUPT, "'long_factor' is not a list of 2"},
		{phi3, "\"head_dim\":4,\"rope_scaling\":{\"type\":\"su\",\"short_factor\":[1,0],\"long_factor\":[1,1]}",
			ERR_CORRUPT, "'short_factor' holds what is not a number above 0"},
		{llama, "\"partial_rotary_factor\":0.5", ERR_MISMATCH, "'partial_rotary_factor' 0.5 is not supported"},
		{phi3, "\"partial_rotary_factor\":2", ERR_CORRUPT, "rotation of 192 of 96 features"},
		{phi3, "\"partial_rotary_factor\":-1", ERR_CORRUPT, "rotation of -96 features"},
		{phi3, "\"partial_rotary_factor\":1e300", ERR_CORRUPT, "features of a head"},
		{phi3, "\"sliding_window\":0", ERR_CORRUPT, "'sliding_window'"},
		{gemma2, "\"hidden_activation\":\"mish\"", ERR_MISMATCH, "'hidden_activation' is 'mish'"},
		{gemma2, "\"query_pre_attn_scalar\":0", ERR_CORRUPT, "'query_pre_attn_scalar' is 0"},
		{gemma2, "\"attn_logit_softcapping\":true", ERR_CORRUPT, "'attn_logit_softcapping'"},
		{gemma2, "\"layer_types\":[\"full_attention\"]", ERR_CORRUPT, "'layer_types' has 1 for 26 layers"},
		{gemma2, "\"layer_types\":[\"chunked_attention\"]", ERR_MISMATCH, "'layer_types' has 'chunked_attention'"},
		{gemma2, "\"layer_types\":\"full_attention\"", ERR_CORRUPT, "'layer_types' has 0"},
		{gemma2, "\"use_bidirectional_attention\":true", ERR_MISMATCH, "'use_bidirectional_attention'"},
		{smollm3, "\"no_rope_layers\":[1,0]", ERR_CORRUPT, "'no_rope_layers' is not a list of 36"},
		{smollm3, "\"no_rope_layer_interval\":0", ERR_CORRUPT, "'no_rope_layer_interval'"},
		{neox, "\"hidden_size\":100", ERR_CORRUPT, "'hidden_size' 100 is not a multiple of 'num_attention_heads' 64"},
		{neox, "\"rotary_pct\":0.05,\"hidden_size\":4096", ERR_CORRUPT, "rotation of 3 of 64 features"},
		{"\"model_type\":\"gptj\",", "\"rotary_dim\":258", ERR_CORRUPT, "rotation of 258 of 256 features"},
		{llama, "\"quantization_config\":{\"bits\":4}", ERR_MISMATCH, "'quantization_config' is not supported"},
		{llama, "\"num_local_experts\":8", ERR_MISMATCH, "'num_local_experts'"},
		{llama, "\"vision_config\":{\"hidden_size\":8}", ERR_MISMATCH, "'vision_config'"},
		{"", "\"model_type\":\"mixtral\"", ERR_MISMATCH, "'mixtral'"},
		{"", "\"model_type\":\"gemma3\"", ERR_MISMATCH, "'gemma3' is not supported"},
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


#define CONFIG \
	"\"vocab_size\":11,\"hidden_size\":6,\"intermediate_size\":7,\"head_dim\":4,\"num_attention_heads\":4," \
	"\"num_key_value_heads\":2,\"num_hidden_layers\":1}"

/* Names and shapes by lm.py's shapes(), in the order of roles. */
static void parameters_of_families(void **state)
{
	static const struct shape qwen2[] = {
		{"model.embed_tokens.weight", 11, 6}, {"model.layers.0.input_layernorm.weight", 6, 0},
		{"model.layers.0.self_attn.q_proj.weight", 16, 6},
		{"model.layers.0.self_attn.q_proj.bias", 16, 0},
		{"model.layers.0.self_attn.k_proj.weight", 8, 6},
		{"model.layers.0.self_attn.k_proj.bias", 8, 0},
		{"model.layers.0.self_attn.v_proj.weight", 8, 6},
		{"model.layers.0.self_attn.v_proj.bias", 8, 0},
		{"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_proj.weight", 7, 6}, {"model.layers.0.mlp.up_proj.weight", 7, 6},
		{"model.layers.0.mlp.down_proj.weight", 6, 7}, {"model.norm.weight", 6, 0},
		{"lm_head.weight", 11, 6}};
	static const struct shape qwen3[] = {
		{"model.embed_tokens.weight", 11, 6}, {"model.layers.0.input_layernorm.weight", 6, 0},
		{"model.layers.0.self_attn.q_proj.weight", 16, 6},
		{"model.layers.0.self_attn.k_proj.weight", 8, 6},
		{"model.layers.0.self_attn.v_proj.weight", 8, 6},
		{"model.layers.0.self_attn.q_norm.weight", 4, 0},
		{"model.layers.0.self_attn.k_norm.weight", 4, 0},
		{"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_proj.weight", 7, 6}, {"model.layers.0.mlp.up_proj.weight", 7, 6},
		{"model.layers.0.mlp.down_proj.weight", 6, 7}, {"model.norm.weight", 6, 0},
		{"lm_head.weight", 11, 6}};
	static const struct shape gemma2[] = {
		{"model.embed_tokens.weight", 11, 6}, {"model.layers.0.input_layernorm.weight", 6, 0},
		{"model.layers.0.self_attn.q_proj.weight", 16, 6},
		{"model.layers.0.self_attn.k_proj.weight", 8, 6},
		{"model.layers.0.self_attn.v_proj.weight", 8, 6},
		{"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.pre_feedforward_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_proj.weight", 7, 6}, {"model.layers.0.mlp.up_proj.weight", 7, 6},
		{"model.layers.0.mlp.down_proj.weight", 6, 7},
		{"model.layers.0.post_feedforward_layernorm.weight", 6, 0}, {"model.norm.weight", 6, 0}};
	static const struct shape gemma3_text[] = {
		{"model.embed_tokens.weight", 11, 6}, {"model.layers.0.input_layernorm.weight", 6, 0},
		{"model.layers.0.self_attn.q_proj.weight", 16, 6},
		{"model.layers.0.self_attn.k_proj.weight", 8, 6},
		{"model.layers.0.self_attn.v_proj.weight", 8, 6},
		{"model.layers.0.self_attn.q_norm.weight", 4, 0},
		{"model.layers.0.self_attn.k_norm.weight", 4, 0},
		{"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.pre_feedforward_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_proj.weight", 7, 6}, {"model.layers.0.mlp.up_proj.weight", 7, 6},
		{"model.layers.0.mlp.down_proj.weight", 6, 7},
		{"model.layers.0.post_feedforward_layernorm.weight", 6, 0}, {"model.norm.weight", 6, 0}};
	static const struct shape phi3[] = {
		{"model.embed_tokens.weight", 11, 6}, {"model.layers.0.input_layernorm.weight", 6, 0},
		{"model.layers.0.self_attn.qkv_proj.weight", 32, 6},
		{"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_up_proj.weight", 14, 6},
		{"model.layers.0.mlp.down_proj.weight", 6, 7}, {"model.norm.weight", 6, 0},
		{"lm_head.weight", 11, 6}};
	static const struct shape olmo2[] = {
		{"model.embed_tokens.weight", 11, 6}, {"model.layers.0.self_attn.q_proj.weight", 16, 6},
		{"model.layers.0.self_attn.q_proj.bias", 16, 0},
		{"model.layers.0.self_attn.k_proj.weight", 8, 6},
		{"model.layers.0.self_attn.k_proj.bias", 8, 0},
		{"model.layers.0.self_attn.v_proj.weight", 8, 6},
		{"model.layers.0.self_attn.v_proj.bias", 8, 0},
		{"model.layers.0.self_attn.q_norm.weight", 16, 0},
		{"model.layers.0.self_attn.k_norm.weight", 8, 0},
		{"model.layers.0.self_attn.o_proj.weight", 6, 16},
		{"model.layers.0.self_attn.o_proj.bias", 6, 0},
		{"model.layers.0.post_attention_layernorm.weight", 6, 0},
		{"model.layers.0.mlp.gate_proj.weight", 7, 6}, {"model.layers.0.mlp.up_proj.weight", 7, 6},
		{"model.layers.0.mlp.down_proj.weight", 6, 7},
		{"model.layers.0.post_feedforward_layernorm.weight", 6, 0}, {"model.norm.weight", 6, 0},
		{"lm_head.weight", 11, 6}};
	static const struct shape gpt_neox[] = {
		{"gpt_neox.embed_in.weight", 11, 6}, {"gpt_neox.layers.0.input_layernorm.weight", 6, 0},
		{"gpt_neox.layers.0.input_layernorm.bias", 6, 0},
		{"gpt_neox.layers.0.attention.query_key_value.weight", 18, 6},
		{"gpt_neox.layers.0.attention.query_key_value.bias", 18, 0},
		{"gpt_neox.layers.0.attention.dense.weight", 6, 6},
		{"gpt_neox.layers.0.attention.dense.bias", 6, 0},
		{"gpt_neox.layers.0.post_attention_layernorm.weight", 6, 0},
		{"gpt_neox.layers.0.post_attention_layernorm.bias", 6, 0},
		{"gpt_neox.layers.0.mlp.dense_h_to_4h.weight", 7, 6},
		{"gpt_neox.layers.0.mlp.dense_h_to_4h.bias", 7, 0},
		{"gpt_neox.layers.0.mlp.dense_4h_to_h.weight", 6, 7},
		{"gpt_neox.layers.0.mlp.dense_4h_to_h.bias", 6, 0}, {"gpt_neox.final_layer_norm.weight", 6, 0},
		{"gpt_neox.final_layer_norm.bias", 6, 0}, {"embed_out.weight", 11, 6}};
	static const struct shape gptj[] = {
		{"transformer.wte.weight", 11, 6}, {"transformer.h.0.ln_1.weight", 6, 0},
		{"transformer.h.0.ln_1.bias", 6, 0}, {"transformer.h.0.attn.q_proj.weight", 6, 6},
		{"transformer.h.0.attn.k_proj.weight", 6, 6}, {"transformer.h.0.attn.v_proj.weight", 6, 6},
		{"transformer.h.0.attn.out_proj.weight", 6, 6}, {"transformer.h.0.mlp.fc_in.weight", 7, 6},
		{"transformer.h.0.mlp.fc_in.bias", 7, 0}, {"transformer.h.0.mlp.fc_out.weight", 6, 7},
		{"transformer.h.0.mlp.fc_out.bias", 6, 0}, {"transformer.ln_f.weight", 6, 0},
		{"transformer.ln_f.bias", 6, 0}, {"lm_head.weight", 11, 6}, {"lm_head.bias", 11, 0}};

	(void)state;
	check_params("{\"model_type\":\"qwen2\"," CONFIG, qwen2, COUNT(qwen2));
	check_params("{\"model_type\":\"qwen3\"," CONFIG, qwen3, COUNT(qwen3));
	check_params("{\"model_type\":\"gemma2\"," CONFIG, gemma2, COUNT(gemma2));
	check_params("{\"model_type\":\"gemma3_text\"," CONFIG, gemma3_text, COUNT(gemma3_text));
	check_params("{\"model_type\":\"phi3\"," CONFIG, phi3, COUNT(phi3));
	check_params("{\"model_type\":\"olmo2\",\"attention_bias\":true," CONFIG, olmo2, COUNT(olmo2));
	check_params("{\"model_type\":\"gpt_neox\",\"vocab_size\":11,\"hidden_size\":6,\"intermediate_size\":7,\"num_attention_heads\":3,\"num_hidden_layers\":1,\"rotary_pct\":1.0}", gpt_neox, COUNT(gpt_neox));
	check_params("{\"model_type\":\"gptj\",\"vocab_size\":11,\"n_embd\":6,\"n_inner\":7,\"n_head\":3,\"n_layer\":1,\"rotary_dim\":2}", gptj, COUNT(gptj));
}
#undef CONFIG

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configs_have_defaults),
		cmocka_unit_test(families_differ),
		cmocka_unit_test(nulls_have_a_meaning),
		cmocka_unit_test(layers_differ),
		cmocka_unit_test(configs_are_followed),
		cmocka_unit_test(rotations),
		cmocka_unit_test(llama3_rotations),
		cmocka_unit_test(bad_configs_are_refused),
		cmocka_unit_test(parameters_of_gpt2),
		cmocka_unit_test(parameters_of_llama),
		cmocka_unit_test(parameters_of_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
