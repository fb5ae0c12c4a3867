/*
 * OLMo 2 (arXiv 2501.00656): Llama with norms behind attention and MLP instead of before them, and of all queries
 * and all keys.
 */
#include "model/family.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "model.embed_tokens"},
	{ROLE_Q, "model.layers.%d.self_attn.q_proj"},
	{ROLE_K, "model.layers.%d.self_attn.k_proj"},
	{ROLE_V, "model.layers.%d.self_attn.v_proj"},
	{ROLE_QNORM, "model.layers.%d.self_attn.q_norm"},
	{ROLE_KNORM, "model.layers.%d.self_attn.k_norm"},
	{ROLE_OUT, "model.layers.%d.self_attn.o_proj"},
	{ROLE_POST1, "model.layers.%d.post_attention_layernorm"},
	{ROLE_GATE, "model.layers.%d.mlp.gate_proj"},
	{ROLE_UP, "model.layers.%d.mlp.up_proj"},
	{ROLE_DOWN, "model.layers.%d.mlp.down_proj"},
	{ROLE_POST2, "model.layers.%d.post_feedforward_layernorm"},
	{ROLE_NORM, "model.norm"},
	{ROLE_HEAD, "lm_head"},
	{0, NULL},
};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 50304, .hidden = 4096, .inner = 11008, .layers = 32,
		.heads = 32, .positions = 2048, .padding = 1, .eps = 1e-5};
	static const struct rope_keys keys = {.theta = 10000};

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err) ||
		family_biases(a, c, err))
		return -1;
	return family_rotate(a, c, &keys, err);
}

const struct family family_olmo2 = {
	.model_type = "olmo2",
	.names = names,
	.ignored = family_llama_ignored,
	.describe = describe,
};
