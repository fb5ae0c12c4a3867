/*
 * Gemma (arXiv 2403.08295): Llama with scaled embeddings, gains kept as what they differ from 1, and a tanh gelu.
 * hidden_act is not read: the first files say "gelu" there and mean the tanh form.
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
	{ROLE_NORM2, "model.layers.%d.post_attention_layernorm"},
	{ROLE_GATE, "model.layers.%d.mlp.gate_proj"},
	{ROLE_UP, "model.layers.%d.mlp.up_proj"},
	{ROLE_DOWN, "model.layers.%d.mlp.down_proj"},
	{ROLE_NORM, "model.norm"},
	{ROLE_HEAD, "lm_head"},
	{0, NULL},
};

static const char *const ignored[] = {".rotary_emb.inv_freq", NULL};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 256000, .hidden = 3072, .inner = 24576, .layers = 28,
		.heads = 16, .kv_heads = 16, .head_dim = 256, .positions = 8192, .padding = 0, .eps = 1e-6, .tied = true};
	static const struct rope_keys keys = {.theta = 10000};

	if (family_describe(a, c, &defaults, err) ||
		config_act(c, "hidden_activation", "gelu_pytorch_tanh", &a->act, err) ||
		config_bool(c, "attention_bias", false, &a->qkv_bias, err))
		return -1;
	a->out_bias = a->qkv_bias;
	a->gain_plus = 1;
	a->embed_scale = sqrtf((float)a->hidden);
	return family_rotate(a, c, &keys, err);
}

const struct family family_gemma = {"gemma", names, NULL, ignored, describe};
