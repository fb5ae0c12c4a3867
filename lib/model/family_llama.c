/* Llama 1, 2, 3.x and what copies its form (SmolLM2, TinyLlama): rotary, RMS norms, gated MLP. */
#include "model/family.h"

const struct family_name family_llama_names[] = {
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

const char *const family_llama_ignored[] = {".rotary_emb.inv_freq", NULL};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 32000, .hidden = 4096, .inner = 11008, .layers = 32,
		.heads = 32, .positions = 2048, .padding = -1, .eps = 1e-6};
	static const struct rope_keys keys = {.theta = 10000};

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err) ||
		family_biases(a, c, err) || config_bool(c, "mlp_bias", false, &a->mlp_bias, err))
		return -1;
	return family_rotate(a, c, &keys, err);
}

const struct family family_llama = {
	.model_type = "llama",
	.names = family_llama_names,
	.ignored = family_llama_ignored,
	.describe = describe,
};
