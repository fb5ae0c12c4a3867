/*
 * Gemma 2 (arXiv 2408.00118): Gemma with norms behind attention and MLP too, soft caps on scores and logits, and a
 * window on every other layer.
 */
#include <math.h>

#include "model/family.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "model.embed_tokens"},
	{ROLE_NORM1, "model.layers.%d.input_layernorm"},
	{ROLE_Q, "model.layers.%d.self_attn.q_proj"},
	{ROLE_K, "model.layers.%d.self_attn.k_proj"},
	{ROLE_V, "model.layers.%d.self_attn.v_proj"},
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

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 256000, .hidden = 2304, .inner = 9216, .layers = 26,
		.heads = 8, .kv_heads = 4, .head_dim = 256, .positions = 8192, .padding = 0, .eps = 1e-6, .tied = true};
	static const struct rope_keys keys = {.theta = 10000};
	double attention, logits;

	if (family_describe(a, c, &defaults, err) ||
		config_act(c, "hidden_activation", "gelu_pytorch_tanh", &a->act, err) ||
		config_bool(c, "attention_bias", false, &a->qkv_bias, err) ||
		config_real_or_null(c, "attn_logit_softcapping", 50, 0, &attention, err) ||
		config_real_or_null(c, "final_logit_softcapping", 30, 0, &logits, err) ||
		family_scale(a, c, err))
		return -1;
	a->out_bias = a->qkv_bias;
	a->gain_plus = 1;
	a->embed_scale = sqrtf((float)a->hidden);
	a->attention_cap = (float)attention;
	a->logit_cap = (float)logits;
	for (int64_t l = 0; l < a->layers; l += 2)
		a->layer[l].sliding = true;
	return family_slide(a, c, 4096, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_gemma2 = {"gemma2", names, NULL, ignored, describe};
