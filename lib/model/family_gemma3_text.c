/*
 * Gemma 3 (arXiv 2503.19786), text only: Gemma 2 without the soft cap on scores, with norms of each head's queries
 * and keys, and one full layer in six; full and sliding layers have rotations of their own. rope_scaling is for
 * the full ones. attn_logit_softcapping is a key without effect.
 */
#include <math.h>

#include "model/family.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "model.embed_tokens"},
	{ROLE_NORM1, "model.layers.%d.input_layernorm"},
	{ROLE_Q, "model.layers.%d.self_attn.q_proj"},
	{ROLE_K, "model.layers.%d.self_attn.k_proj"},
	{ROLE_V, "model.layers.%d.self_attn.v_proj"},
	{ROLE_QNORM, "model.layers.%d.self_attn.q_norm"},
	{ROLE_KNORM, "model.layers.%d.self_attn.k_norm"},
	{ROLE_OUT, "model.layers.%d.self_attn.o_proj"},
	{ROLE_POST1, "model.layers.%d.post_attention_layernorm"},
	{ROLE_NORM2, "model.layers.%d.pre_feedforward_layernorm"},
	{ROLE_GATE, "model.layers.%d.mlp.gate_proj"},
	{ROLE_UP, "model.layers.%d.mlp.up_proj"},
	{ROLE_DOWN, "model.layers.%d.mlp.down_proj"},
	{ROLE_POST2, "model.layers.%d.post_feedforward_layernorm"},
	{ROLE_NORM, "model.norm"},
	{ROLE_HEAD, "lm_head"},
	{0, NULL},
};

static const char *const ignored[] = {".rotary_emb.inv_freq", NULL};

static int rotate(struct arch *a, const struct json *c, struct err *err)
{
	static const struct rope_keys full = {.theta = 1e6, .layer_type = "full_attention"};
	static const struct rope_keys sliding = {.theta = 10000, .theta_key = "rope_local_base_freq",
		.layer_type = "sliding_attention", .unscaled = true};

	if (family_rotate(a, c, &full, err))
		return -1;
	a->rotations = 2;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].rotation = a->layer[l].sliding;
	return rope_describe(&a->rotation[1], c, &sliding, a->head_dim, a->positions, err);
}

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 262208, .hidden = 2304, .inner = 9216, .layers = 26,
		.heads = 8, .kv_heads = 4, .head_dim = 256, .positions = 131072, .padding = 0, .eps = 1e-6, .tied = true};
	double logits;
	int64_t pattern;

	if (family_describe(a, c, &defaults, err) ||
		config_act(c, "hidden_activation", "gelu_pytorch_tanh", &a->act, err) ||
		config_bool(c, "attention_bias", false, &a->qkv_bias, err) ||
		config_real_or_null(c, "final_logit_softcapping", 0, 0, &logits, err) ||
		config_size(c, "sliding_window_pattern", 6, &pattern, err) || family_scale(a, c, err))
		return -1;
	a->out_bias = a->qkv_bias;
	a->norm_by_head = true;
	a->gain_plus = 1;
	a->embed_scale = sqrtf((float)a->hidden);
	a->logit_cap = (float)logits;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].sliding = (l + 1) % pattern != 0;
	return family_slide(a, c, 4096, err) || rotate(a, c, err) ? -1 : 0;
}

const struct family family_gemma3_text = {"gemma3_text", names, NULL, ignored, describe};
