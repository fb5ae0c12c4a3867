/* Mistral 7B (Jiang et al., arXiv 2310.06825) and later: Llama with a sliding window, without biases. */
#include "model/family.h"

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 32000, .hidden = 4096, .inner = 14336, .layers = 32,
		.heads = 32, .kv_heads = 8, .positions = 131072, .padding = -1, .eps = 1e-6};
	static const struct rope_keys keys = {.theta = 10000};

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err))
		return -1;
	return family_slide_all(a, c, 4096, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_mistral = {
	.model_type = "mistral",
	.names = family_llama_names,
	.ignored = family_llama_ignored,
	.describe = describe,
};
