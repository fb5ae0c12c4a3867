/* Qwen 3 (arXiv 2505.09388), dense: Llama with norms of each head's queries and keys, and windows on request. */
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
	static const struct family_defaults defaults = {.vocab = 151936, .hidden = 4096, .inner = 22016, .layers = 32,
		.heads = 32, .kv_heads = 32, .head_dim = 128, .positions = 32768, .padding = -1, .eps = 1e-6};
	static const struct rope_keys keys = {.theta = 10000};

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err) ||
		config_bool(c, "attention_bias", false, &a->qkv_bias, err))
		return -1;
	a->out_bias = a->qkv_bias;
	a->norm_by_head = true;
	return family_slide_upper(a, c, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_qwen3 = {"qwen3", names, NULL, ignored, describe};
