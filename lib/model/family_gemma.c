/*
 * Gemma (arXiv 2403.08295): Llama with scaled embeddings, gains kept as what they differ from 1, and a tanh gelu.
 * hidden_act is not read: the first files say "gelu" there and mean the tanh form.
 */
#include "model/family.h"

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 256000, .hidden = 3072, .inner = 24576, .layers = 28,
		.heads = 16, .kv_heads = 16, .head_dim = 256, .positions = 8192, .padding = 0, .eps = 1e-6, .tied = true};
	static const struct rope_keys keys = {.theta = 10000};

	return family_describe_gemma(a, c, &defaults, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_gemma = {
	.model_type = "gemma",
	.names = family_llama_names,
	.ignored = family_llama_ignored,
	.describe = describe,
};
