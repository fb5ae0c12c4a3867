/*
 * GPT-J (Wang and Komatsuzaki 2021): rotary on part of a head, in pairs of neighbours; attention and MLP in parallel,
 * with one norm for both; biases on the MLP and the head.
 */
#include "model/family.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "transformer.wte"},
	{ROLE_NORM1, "transformer.h.%d.ln_1"},
	{ROLE_Q, "transformer.h.%d.attn.q_proj"},
	{ROLE_K, "transformer.h.%d.attn.k_proj"},
	{ROLE_V, "transformer.h.%d.attn.v_proj"},
	{ROLE_OUT, "transformer.h.%d.attn.out_proj"},
	{ROLE_UP, "transformer.h.%d.mlp.fc_in"},
	{ROLE_DOWN, "transformer.h.%d.mlp.fc_out"},
	{ROLE_NORM, "transformer.ln_f"},
	{ROLE_HEAD, "lm_head"},
	{0, NULL},
};

static const char *const ignored[] = {".attn.bias", ".attn.masked_bias", NULL};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	int64_t rotary;
	double eps;

	if (config_size(c, "vocab_size", 50400, &a->vocab, err) || config_size(c, "n_embd", 4096, &a->hidden, err) ||
		config_size(c, "n_layer", 28, &a->layers, err) || config_size(c, "n_head", 16, &a->heads, err) ||
		config_size(c, "n_positions", 2048, &a->positions, err) ||
		config_size(c, "n_inner", 4 * a->hidden, &a->inner, err) ||
		config_size_or_null(c, "rotary_dim", 64, a->hidden / a->heads, &rotary, err) ||
		config_act(c, "activation_function", "gelu_new", &a->act, err) ||
		config_real(c, "layer_norm_epsilon", 1e-5, &eps, err) ||
		config_bool(c, "tie_word_embeddings", false, &a->tied, err) ||
		config_real(c, "initializer_range", 0.02, &a->init_std, err))
		return -1;
	if (a->hidden % a->heads)
		return err_set(err, ERR_CORRUPT, "'n_embd' %lld is not a multiple of 'n_head' %lld",
			(long long)a->hidden, (long long)a->heads);
	a->kv_heads = a->heads;
	a->head_dim = a->hidden / a->heads;
	a->norm = NORM_LAYER;
	a->eps = (float)eps;
	a->parallel = a->mlp_bias = a->norm_bias = a->head_bias = true;
	if (arch_make_layers(a, err))
		return -1;
	for (int64_t l = 0; l < a->layers; l++)
		a->layer[l].rotation = 0;
	a->rotations = 1;
	if (rope_plain(&a->rotation[0], rotary, a->head_dim, 10000, err))
		return -1;
	a->rotation[0].neighbours = true;
	return 0;
}

const struct family family_gptj = {
	.model_type = "gptj",
	.names = names,
	.optional_prefix = "transformer.",
	.ignored = ignored,
	.describe = describe,
};
