/* Phi-3, 3.5 and 4 (arXiv 2404.14219), dense: Llama with fused matrices, a window, and longrope. */
#include "model/family.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "model.embed_tokens"},
	{ROLE_NORM1, "model.layers.%d.input_layernorm"},
	{ROLE_QKV, "model.layers.%d.self_attn.qkv_proj"},
	{ROLE_OUT, "model.layers.%d.self_attn.o_proj"},
	{ROLE_NORM2, "model.layers.%d.post_attention_layernorm"},
	{ROLE_GATE_UP, "model.layers.%d.mlp.gate_up_proj"},
	{ROLE_DOWN, "model.layers.%d.mlp.down_proj"},
	{ROLE_NORM, "model.norm"},
	{ROLE_HEAD, "lm_head"},
	{0, NULL},
};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 32064, .hidden = 3072, .inner = 8192, .layers = 32,
		.heads = 32, .positions = 4096, .padding = 32000, .eps = 1e-5};
	static const struct rope_keys keys = {.theta = 10000, .part_key = "partial_rotary_factor", .part = 1,
		.longrope_names = true, .original = 4096};

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err))
		return -1;
	return family_slide_all(a, c, 0, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_phi3 = {
	.model_type = "phi3",
	.names = names,
	.ignored = family_llama_ignored,
	.describe = describe,
};
