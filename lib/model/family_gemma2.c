/*
 * Gemma 2 (arXiv 2408.00118): Gemma with norms behind attention and MLP too, soft caps on scores and logits, and a
 * window on every other layer.
 */
#include "model/family.h"

static const struct family_name more[] = {
	{ROLE_POST1, "model.layers.%d.post_attention_layernorm"},
	{ROLE_NORM2, "model.layers.%d.pre_feedforward_layernorm"},
	{ROLE_POST2, "model.layers.%d.post_feedforward_layernorm"},
	{0, NULL},
};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 256000, .hidden = 2304, .inner = 9216, .layers = 26,
		.heads = 8, .kv_heads = 4, .head_dim = 256, .positions = 8192, .padding = 0, .eps = 1e-6, .tied = true};
	static const struct rope_keys keys = {.theta = 10000};
	double attention, logits;

	if (family_describe_gemma(a, c, &defaults, err) ||
		config_real_or_null(c, "attn_logit_softcapping", 50, 0, &attention, err) ||
		config_real_or_null(c, "final_logit_softcapping", 30, 0, &logits, err) ||
		family_scale(a, c, err))
		return -1;
	a->attention_cap = (float)attention;
	a->logit_cap = (float)logits;
	for (int64_t l = 0; l < a->layers; l += 2)
		a->layer[l].sliding = true;
	return family_slide(a, c, 4096, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_gemma2 = {
	.model_type = "gemma2",
	.names = family_llama_names,
	.more = more,
	.ignored = family_llama_ignored,
	.describe = describe,
};
