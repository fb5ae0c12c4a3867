/* Qwen 3 (arXiv 2505.09388), dense: Llama with norms of each head's queries and keys, and windows on request. */
#include "model/family.h"

static const struct family_name more[] = {
	{ROLE_QNORM, "model.layers.%d.self_attn.q_norm"},
	{ROLE_KNORM, "model.layers.%d.self_attn.k_norm"},
	{0, NULL},
};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 151936, .hidden = 4096, .inner = 22016, .layers = 32,
		.heads = 32, .kv_heads = 32, .head_dim = 128, .positions = 32768, .padding = -1, .eps = 1e-6};
	static const struct rope_keys keys = {.theta = 10000};

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err) ||
		family_biases(a, c, err))
		return -1;
	a->norm_by_head = true;
	return family_slide_upper(a, c, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_qwen3 = {
	.model_type = "qwen3",
	.names = family_llama_names,
	.more = more,
	.ignored = family_llama_ignored,
	.describe = describe,
};
