/*
 * SmolLM 3: Llama with layers that do not turn (Yang et al., arXiv 2501.18795), every fourth where nothing else is
 * said, and windows on those on request. no_rope_layers has 1 where a layer does turn.
 */
#include "model/family.h"

static int rotate(struct arch *a, const struct json *c, struct err *err)
{
	static const struct rope_keys keys = {.theta = 2e6};
	const struct json *list = json_get(c, "no_rope_layers"), *v = json_first(list);
	bool listed = json_count(list) > 0;
	int64_t interval, turns;

	if (config_size(c, "no_rope_layer_interval", 4, &interval, err) || family_rotate(a, c, &keys, err))
		return -1;
	for (int64_t l = 0; l < a->layers; l++, v = json_next(v)) {
		turns = (l + 1) % interval;
		if (listed && !json_int(v, &turns))
			return err_set(err, ERR_CORRUPT, "'no_rope_layers' is not a list of %lld numbers",
				(long long)a->layers);
		if (!turns)
			a->layer[l].rotation = -1;
	}
	return 0;
}

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct family_defaults defaults = {.vocab = 128256, .hidden = 2048, .inner = 11008, .layers = 36,
		.heads = 16, .kv_heads = 4, .positions = 32768, .padding = 128004, .eps = 1e-6, .tied = true};
	bool slides;

	if (family_describe(a, c, &defaults, err) || config_act(c, "hidden_act", "silu", &a->act, err) ||
		family_biases(a, c, err) ||
		config_bool(c, "mlp_bias", false, &a->mlp_bias, err) ||
		config_bool(c, "use_sliding_window", false, &slides, err) || rotate(a, c, err))
		return -1;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].sliding = a->layer[l].rotation < 0;
	return slides ? family_slide(a, c, 0, err) : 0;
}

const struct family family_smollm3 = {
	.model_type = "smollm3",
	.names = family_llama_names,
	.ignored = family_llama_ignored,
	.describe = describe,
};
