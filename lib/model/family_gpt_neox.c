/*
 * GPT-NeoX (Black et al., arXiv 2204.06745) and Pythia: layer norms and biases as GPT-2, rotary on part of a head,
 * attention and MLP in parallel, queries, keys and values of each head side by side.
 */
#include "model/family.h"

static const struct family_name names[] = {
	{ROLE_EMBED, "gpt_neox.embed_in"},
	{ROLE_NORM1, "gpt_neox.layers.%d.input_layernorm"},
	{ROLE_QKV, "gpt_neox.layers.%d.attention.query_key_value"},
	{ROLE_OUT, "gpt_neox.layers.%d.attention.dense"},
	{ROLE_NORM2, "gpt_neox.layers.%d.post_attention_layernorm"},
	{ROLE_UP, "gpt_neox.layers.%d.mlp.dense_h_to_4h"},
	{ROLE_DOWN, "gpt_neox.layers.%d.mlp.dense_4h_to_h"},
	{ROLE_NORM, "gpt_neox.final_layer_norm"},
	{ROLE_HEAD, "embed_out"},
	{0, NULL},
};

static const char *const ignored[] = {".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq", NULL};

static int describe(struct arch *a, const struct json *c, struct err *err)
{
	static const struct rope_keys keys = {.theta = 10000, .theta_key = "rotary_emb_base", .part_key = "rotary_pct",
		.part = 0.25};
	double eps;

	if (config_size(c, "vocab_size", 50432, &a->vocab, err) ||
		config_size(c, "hidden_size", 6144, &a->hidden, err) ||
		config_size(c, "intermediate_size", 24576, &a->inner, err) ||
		config_size(c, "num_hidden_layers", 44, &a->layers, err) ||
		config_size(c, "num_attention_heads", 64, &a->heads, err) ||
		config_size(c, "max_position_embeddings", 2048, &a->positions, err) ||
		config_act(c, "hidden_act", "gelu", &a->act, err) ||
		config_real(c, "layer_norm_eps", 1e-5, &eps, err) ||
		config_bool(c, "tie_word_embeddings", false, &a->tied, err) ||
		config_bool(c, "use_parallel_residual", true, &a->parallel, err) ||
		config_bool(c, "attention_bias", true, &a->qkv_bias, err) ||
		config_real(c, "initializer_range", 0.02, &a->init_std, err))
		return -1;
	if (a->hidden % a->heads)
		return err_set(err, ERR_CORRUPT, "'hidden_size' %lld is not a multiple of 'num_attention_heads' %lld",
			(long long)a->hidden, (long long)a->heads);
	a->kv_heads = a->heads;
	a->head_dim = a->hidden / a->heads;
	a->norm = NORM_LAYER;
	a->eps = (float)eps;
	a->qkv_by_head = a->mlp_bias = a->norm_bias = true;
	a->out_bias = a->qkv_bias;
	return arch_make_layers(a, err) || family_rotate(a, c, &keys, err) ? -1 : 0;
}

const struct family family_gpt_neox = {
	.model_type = "gpt_neox",
	.names = names,
	.ignored = ignored,
	.describe = describe,
};
