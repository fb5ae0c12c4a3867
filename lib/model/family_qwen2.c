/* Qwen 2 and 2.5 (arXiv 2407.10671): Llama with biases on queries, keys and values, and windows on request. */
#include "model/family.h"

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 151936, .hidden = 4096, .inner = 22016, .layers = 32,
		.heads = 32, .kv_heads = 32, .positions = 32768, .padding = -1, .eps = 1e-6};
	static const struct rope_keys keys = {.theta = 10000};

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err))
		return -1;
	a->qkv_bias = true;
	return family_slide_upper(a, c, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_qwen2 = {
	.model_type = "qwen2",
	.names = family_llama_names,
	.ignored = family_llama_ignored,
	.describe = describe,
};
