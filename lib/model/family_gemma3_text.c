/*
 * Gemma 3 (arXiv 2503.19786), text only: Gemma 2 without the soft cap on scores, with norms of each head's queries
 * and keys, and one full layer in six; full and sliding layers have rotations of their own. rope_scaling is for
 * the full ones. attn_logit_softcapping is a key without effect.
 */
#include "model/family.h"

static const struct family_name more[] = {
	{ROLE_QNORM, "model.layers.%d.self_attn.q_norm"},
	{ROLE_KNORM, "model.layers.%d.self_attn.k_norm"},
	{ROLE_POST1, "model.layers.%d.post_attention_layernorm"},
	{ROLE_NORM2, "model.layers.%d.pre_feedforward_layernorm"},
	{ROLE_POST2, "model.layers.%d.post_feedforward_layernorm"},
	{0, NULL},
};

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

	if (family_describe_gemma(a, c, &defaults, err) ||
		config_real_or_null(c, "final_logit_softcapping", 0, 0, &logits, err) ||
		config_size(c, "sliding_window_pattern", 6, &pattern, err) || family_scale(a, c, err))
		return -1;
	a->norm_by_head = true;
	a->logit_cap = (float)logits;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].sliding = (l + 1) % pattern != 0;
	return family_slide(a, c, 4096, err) || rotate(a, c, err) ? -1 : 0;
}

const struct family family_gemma3_text = {
	.model_type = "gemma3_text",
	.names = family_llama_names,
	.more = more,
	.ignored = family_llama_ignored,
	.describe = describe,
};
