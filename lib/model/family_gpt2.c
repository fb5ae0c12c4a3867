/* GPT-2 (Radford et al. 2019): learned positions, layer norms, biases everywhere, matrices [in, out]. */
#include <math.h>

#include "model/arch.h"
#include "model/config.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "transformer.wte"},
	{ROLE_PLACES, "transformer.wpe"},
	{ROLE_NORM1, "transformer.h.%d.ln_1"},
	{ROLE_QKV, "transformer.h.%d.attn.c_attn"},
	{ROLE_OUT, "transformer.h.%d.attn.c_proj"},
	{ROLE_NORM2, "transformer.h.%d.ln_2"},
	{ROLE_UP, "transformer.h.%d.mlp.c_fc"},
	{ROLE_DOWN, "transformer.h.%d.mlp.c_proj"},
	{ROLE_NORM, "transformer.ln_f"},
	{ROLE_HEAD, "lm_head"},
	{0, NULL},
};

static const char *const ignored[] = {".attn.bias", ".attn.masked_bias", NULL};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	bool scaled, by_layer;
	double eps;

	if (config_size(c, "vocab_size", 50257, &a->vocab, err) || config_size(c, "n_embd", 768, &a->hidden, err) ||
		config_size(c, "n_layer", 12, &a->layers, err) || config_size(c, "n_head", 12, &a->heads, err) ||
		config_size(c, "n_positions", 1024, &a->positions, err) ||
		config_size(c, "n_inner", 4 * a->hidden, &a->inner, err) ||
		config_act(c, "activation_function", "gelu_new", &a->act, err) ||
		config_real(c, "layer_norm_epsilon", 1e-5, &eps, err) ||
		config_bool(c, "tie_word_embeddings", true, &a->tied, err) ||
		config_bool(c, "scale_attn_weights", true, &scaled, err) ||
		config_bool(c, "scale_attn_by_inverse_layer_idx", false, &by_layer, err) ||
		config_real(c, "initializer_range", 0.02, &a->init_std, err))
		return -1;
	if (a->hidden % a->heads)
		return err_set(err, ERR_CORRUPT, "'n_embd' %lld is not a multiple of 'n_head' %lld",
			(long long)a->hidden, (long long)a->heads);
	a->kv_heads = a->heads;
	a->head_dim = a->hidden / a->heads;
	a->norm = NORM_LAYER;
	a->eps = (float)eps;
	a->in_first = a->init_residual = true;
	a->qkv_bias = a->out_bias = a->mlp_bias = a->norm_bias = true;
	if (arch_make_layers(a, err))
		return -1;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].scale =
			(scaled ? 1 / sqrtf((float)a->head_dim) : 1) / (by_layer ? (float)l + 1 : 1);
	return 0;
}

const struct family family_gpt2 = {
	.model_type = "gpt2",
	.names = names,
	.optional_prefix = "transformer.",
	.ignored = ignored,
	.describe = describe,
};
